import { appendAudit } from "@slipway/durable";
import { addMs, type Digest, type GitSha, type Instant, type ServiceName } from "@slipway/kernel";
import { imageAt, repositoryOf } from "@slipway/oci";
import type { Tx } from "@slipway/sql";
import { openPublication, type PublicationInput } from "../domain/publication.ts";
import type { Service } from "../service.ts";
import { insertPublication } from "../store/publications.ts";
import type { Tables } from "../store/tables.ts";

export type Published = { readonly digest: Digest; readonly service: ServiceName; readonly gitSha: GitSha };

/** Begins to copy an artifact's image to where images are published, in the transaction that registers it. Nothing where it has begun, or nothing is published. */
export async function beginPublication(
  service: Service,
  tx: Tx<Tables>,
  artifact: Published,
  by: string,
  now: Instant,
): Promise<boolean> {
  const { place, machine, deadlineMs } = service.publishing;
  if (place === undefined) return false;
  const image = imageAt(place, artifact);
  const { state, commands } = openPublication({
    image,
    host: place.host,
    repository: repositoryOf(place, artifact.service),
    service: artifact.service,
    digest: artifact.digest,
    gitSha: artifact.gitSha,
    requestedBy: by,
    requestedAt: now,
    deadlineAt: addMs(now, deadlineMs),
  });
  if (!(await insertPublication(tx, state.request))) return false;
  await service.durable.create(tx, machine, image, state, commands);
  return true;
}

/** Has an image looked for where it is published, and copied where it is not there: for one that was registered before anything was published, or whose copy has failed. */
export async function askPublication(service: Service, artifact: Published, by: string, now: Instant): Promise<void> {
  const { place, machine, deadlineMs } = service.publishing;
  if (place === undefined) return;
  const image = imageAt(place, artifact);
  const input = (at: Instant): PublicationInput => ({ type: "Ask", by, deadlineAt: addMs(at, deadlineMs), now: at });
  await service.db.transaction().execute(async (tx) => {
    const begun = await beginPublication(service, tx, artifact, by, now);
    if (!begun) await service.durable.send(machine, image, input, tx);
    const detail = { service: artifact.service, image };
    await appendAudit(tx, {
      actor: by,
      action: "artifact.publication_asked",
      subject: artifact.digest,
      detail,
      at: now,
    });
  });
}

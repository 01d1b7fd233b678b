import { isDeepStrictEqual } from "node:util";
import { type ExternalProvenance, ProblemError } from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import type { Digest, GitSha, Instant } from "@slipway/kernel";
import type { Tx } from "@slipway/sql";
import type { ImportRequest } from "../domain/image-import.ts";
import { chainOf } from "../promote.ts";
import { enter } from "../register.ts";
import type { Service } from "../service.ts";
import {
  type ArtifactRecord,
  closePromotion,
  insertArtifact,
  leaveEnvironments,
  lockArtifact,
  promotionsOf,
  revise,
} from "../store/artifacts.ts";
import type { Tables } from "../store/tables.ts";

export type ExternalArtifact = {
  readonly digest: Digest;
  readonly gitSha: GitSha;
  readonly provenance: ExternalProvenance;
};

/**
 * Makes a copied image an artifact, which puts it into the first environment. The same again changes nothing. Another configuration for
 * the same image revises the artifact: it starts again in the first environment, since what was approved further on was the old one.
 * Throws artifact.conflict.
 */
export async function registerExternal(
  service: Service,
  request: ImportRequest,
  artifact: ExternalArtifact,
  now: Instant,
): Promise<void> {
  await service.db.transaction().execute(async (tx) => {
    const { spec, requestedBy: by } = request;
    const row = { ...artifact, service: request.service, spec, createdAt: now, by };
    const about = { ...row, build: null };
    if (await insertArtifact(tx, row)) await enter(service, tx, about, by, now);
    else await meetAgain(service, tx, request, artifact, now);
  });
}

async function meetAgain(
  service: Service,
  tx: Tx<Tables>,
  request: ImportRequest,
  artifact: ExternalArtifact,
  now: Instant,
): Promise<void> {
  const known = await lockArtifact(tx, artifact.digest);
  if (known === undefined) throw new Error(`artifact ${artifact.digest} vanished`);
  if (
    known.service !== request.service ||
    known.provenance.builder !== "external" ||
    known.gitSha !== artifact.gitSha
  ) {
    const how = known.provenance.builder === "external" ? "is registered" : "was built here";
    throw new ProblemError("artifact.conflict", `${known.digest} ${how} for ${known.service} at ${known.gitSha}.`);
  }
  const spec = JSON.parse(JSON.stringify(request.spec)) as typeof request.spec;
  if (isDeepStrictEqual(known.spec, spec)) return;
  await revise(tx, known.digest, spec, artifact.provenance);
  await startAgain(service, tx, known, request.requestedBy, now);
}

async function startAgain(
  service: Service,
  tx: Tx<Tables>,
  known: ArtifactRecord,
  by: string,
  now: Instant,
): Promise<void> {
  const [first, ...further] = service.environments.map(({ name }) => name);
  await leaveEnvironments(tx, known.digest, further);
  for (const promotion of await promotionsOf(tx, known.digest)) {
    if (!promotion.open) continue;
    const input = (at: Instant) => ({ type: "Revised" as const, by, now: at });
    const answer = await service.durable.send(service.promotions, promotion.id, input, tx);
    await closePromotion(tx, promotion.id);
    if (answer.kind !== "applied") continue;
    await appendAudit(tx, {
      actor: by,
      action: "promotion.rejected",
      subject: promotion.id,
      detail: chainOf(answer.state),
      at: now,
    });
  }
  const left = known.environments.map(({ environment }) => environment).filter((name) => name !== first);
  const detail = { service: known.service, left };
  await appendAudit(tx, { actor: by, action: "artifact.revised", subject: known.digest, detail, at: now });
}

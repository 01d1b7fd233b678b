import { isDeepStrictEqual } from "node:util";
import {
  type BuiltProvenance,
  ProblemError,
  type Provenance,
  type registerArtifact,
  SlipwayFile,
} from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import type { Digest, GitSha, Instant, ServiceName } from "@slipway/kernel";
import { mediaTypes } from "@slipway/oci";
import type { Tx } from "@slipway/sql";
import type { z } from "zod";
import { openArtifact } from "./domain/artifact.ts";
import { beginPublication } from "./publish/ask.ts";
import type { Service } from "./service.ts";
import {
  type ArtifactRecord,
  addEnvironment,
  findArtifact,
  insertArtifact,
  lockArtifact,
  setProvenance,
} from "./store/artifacts.ts";
import { findManifest } from "./store/images.ts";
import type { Tables } from "./store/tables.ts";

type Registration = Extract<z.output<NonNullable<typeof registerArtifact.body>>, { digest: Digest }>;

/**
 * Registers an image as an artifact, which puts it into the first environment. The image has to be in the registry under its
 * commit. Registering the same again answers the same; the same digest with other content is `artifact.conflict`.
 */
export async function register(
  service: Service,
  asked: Registration,
  by: string,
  now: Instant,
): Promise<ArtifactRecord> {
  await requireImage(service, asked);
  await service.db.transaction().execute(async (tx) => {
    const { digest, git_sha: gitSha, spec, provenance } = asked;
    const row = { digest, service: asked.service, gitSha, spec, provenance, createdAt: now, by };
    if (await insertArtifact(tx, row)) await enter(service, tx, { ...row, build: provenance.build_id }, by, now);
    else await meetAgain(tx, asked, by, now);
  });
  const found = await findArtifact(service.db, asked.digest);
  if (found === undefined) throw new Error(`artifact ${asked.digest} vanished`);
  return found;
}

async function requireImage(service: Service, asked: Registration): Promise<void> {
  const name = `${asked.service}:${asked.git_sha}`;
  if (asked.spec.service !== asked.service) {
    throw new ProblemError("request.invalid", `The spec is that of ${asked.spec.service}, not of ${asked.service}.`);
  }
  const image = await findManifest(service.db, asked.service, asked.git_sha);
  if (image === undefined) {
    throw new ProblemError("artifact.not_found", `The registry has no image ${name}.`, {
      remedy: "Push the image under its commit first.",
    });
  }
  if (image.digest !== asked.digest) {
    throw new ProblemError("artifact.conflict", `${name} is ${image.digest}, not ${asked.digest}.`);
  }
  if (image.mediaType !== mediaTypes.manifest && image.mediaType !== mediaTypes.dockerManifest) {
    throw new ProblemError("request.invalid", `${name} is a ${image.mediaType}; an artifact is one image.`);
  }
}

type Entering = {
  readonly digest: Digest;
  readonly service: ServiceName;
  readonly gitSha: GitSha;
  /** Null where it was built elsewhere. */
  readonly build: string | null;
};

/** A new artifact begins its life in the first environment. */
export async function enter(service: Service, tx: Tx<Tables>, of: Entering, by: string, now: Instant): Promise<void> {
  const { digest, gitSha, build } = of;
  const first = service.environments[0];
  if (first === undefined) throw new Error("there are no environments");
  const opened = openArtifact({ digest, service: of.service, gitSha }, by, now);
  await service.durable.create(tx, service.artifacts, digest, opened.state, opened.commands);
  await addEnvironment(tx, { digest, environment: first.name, by, at: now, promotion: null });
  await beginPublication(service, tx, of, by, now);
  await appendAudit(tx, {
    actor: by,
    action: "artifact.registered",
    subject: digest,
    detail: { service: of.service, git_sha: gitSha, environment: first.name, build },
    at: now,
  });
}

/**
 * A commit that was built again gave the same bytes. Its first provenance stands, unless that build had no isolation and
 * this one had: then the bytes are proven by the better one.
 */
async function meetAgain(tx: Tx<Tables>, asked: Registration, by: string, now: Instant): Promise<void> {
  const known = await lockArtifact(tx, asked.digest);
  if (known === undefined) throw new Error(`artifact ${asked.digest} vanished`);
  const same =
    known.service === asked.service &&
    known.gitSha === asked.git_sha &&
    // What was registered before slipway.yaml knew a key has that key's default.
    isDeepStrictEqual(SlipwayFile.parse(known.spec), SlipwayFile.parse(asked.spec));
  if (!same) {
    throw new ProblemError(
      "artifact.conflict",
      `${asked.digest} is registered for ${known.service} at ${known.gitSha}.`,
    );
  }
  if (!provesMore(known.provenance, asked.provenance)) return;
  await setProvenance(tx, asked.digest, asked.provenance);
  const isolation = { from: known.provenance.isolation, to: asked.provenance.isolation };
  const detail = { service: known.service, ...isolation, build: asked.provenance.build_id };
  await appendAudit(tx, { actor: by, action: "artifact.provenance_replaced", subject: asked.digest, detail, at: now });
}

function provesMore(known: Provenance, offered: BuiltProvenance): boolean {
  return known.isolation === "none" && offered.isolation !== "none";
}

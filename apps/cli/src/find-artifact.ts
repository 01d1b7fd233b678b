import type { Client } from "@slipway/client";
import { DigestSchema, listArtifacts, ProblemError } from "@slipway/contracts";
import { Unusable } from "./exit-codes.ts";
import { serviceHere } from "./here.ts";
import type { Digest } from "./ids.ts";
import { typed } from "./typed.ts";

/** The digest that was named, or that of the one artifact of a commit (7 to 40 digits), of the service here where there is one. */
export async function findArtifact(client: Client, named: string): Promise<Digest> {
  if (named.startsWith("sha256:")) return typed(DigestSchema, named);
  if (!/^[0-9a-f]{7,40}$/.test(named)) throw new Unusable(`${named} is no digest and no commit (7 to 40 hex digits).`);
  const { artifacts } = await client.call(listArtifacts, { query: { git_sha: named, service: serviceHere() } });
  const [first, second] = artifacts;
  if (first === undefined) {
    throw new ProblemError("artifact.not_found", `There is no artifact of commit ${named}.`, {
      remedy: "slipway artifacts list shows those there are.",
    });
  }
  if (second === undefined) return first.digest;
  const digests = artifacts.map(({ service, digest }) => `${service} ${digest}`).join(", ");
  throw new ProblemError("version.ambiguous", `${named} names more than one artifact: ${digests}.`, {
    remedy: "Name the digest.",
  });
}

import { createClient } from "@slipway/client";
import { getArtifact, registerArtifact } from "@slipway/contracts";
import { digestOf, RegistryClient } from "@slipway/oci";
import { until } from "@slipway/testkit";
import { nextCommit, provenance, specOf } from "./artifact-examples.ts";
import { dockerImage, dockerManifestType } from "./foreign-images.ts";
import type { Front } from "./published.ts";
import type { ProcessPlace } from "./start-process.ts";

/**
 * The service is killed when all of an image but its last layer is where it is published, and started again. Answers how often each blob was sent in the end, the last
 * one's last, and the image with where it is.
 */
export async function killedInTheMiddle(place: ProcessPlace, front: Front, env: Readonly<Record<string, string>>) {
  const image = dockerImage({ layers: 3 });
  const commit = nextCommit();
  const last = image.blobs.at(-1)?.digest ?? "";
  const sent: string[] = [];
  let held = true;
  front.refuse = (request) => {
    const digest = new URL(request.url ?? "/", "http://front").searchParams.get("digest");
    if (request.method !== "PUT" || digest === null) return false;
    if (digest === last && held) return true;
    sent.push(digest);
    return false;
  };
  const first = await place.start(env);
  const token = await place.tokenOf("artifact-registry");
  const oci = new RegistryClient({ url: first.url, auth: { username: "test", password: token } });
  for (const { bytes } of image.blobs) {
    const open = async function* (from: number) {
      yield bytes.subarray(from);
    };
    await oci.pushBlob("orders", { digest: digestOf(bytes), size: bytes.length, open });
  }
  await oci.putManifest("orders", commit, { mediaType: dockerManifestType, bytes: Buffer.from(image.text) });
  const before = createClient({ url: first.url, token });
  const body = { service: "orders", git_sha: commit, digest: image.digest, spec: specOf("orders"), provenance };
  await before.call(registerArtifact, { body });
  await until(() => sent.length === image.blobs.length - 1, { what: "all layers but the last", timeoutMs: 60_000 });
  await until(() => front.asked.filter((one) => one.startsWith("PUT ")).length > sent.length, {
    what: "the last layer to be on its way",
    timeoutMs: 60_000,
  });
  await first.kill();
  await oci.close();
  await before.close();

  held = false;
  const second = await place.start(env);
  const after = createClient({ url: second.url, token });
  const view = await until(
    async () => {
      const { publication } = await after.call(getArtifact, { params: { digest: image.digest } });
      return publication?.status === "PUBLISHED" ? publication : undefined;
    },
    { what: "the image to be published", timeoutMs: 60_000 },
  );
  await after.close();
  await second.kill();
  front.refuse = undefined;
  return {
    image,
    commit,
    view,
    sentEach: image.blobs.map(({ digest }) => sent.filter((one) => one === digest).length),
  };
}

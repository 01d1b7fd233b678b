import { gzipSync } from "node:zlib";
import { getArtifact, getImport, type ImportView, registerArtifact } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import type { z } from "zod";
import { pushBlob, putManifest, sha256, someBytes, type TestRegistry } from "./start-registry.ts";

export const dockerManifestType = "application/vnd.docker.distribution.manifest.v2+json";
export const platform = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
export const revision = "0123456789abcdef0123456789abcdef01234567";

export type Blob = { readonly bytes: Buffer; readonly digest: string };
export type ForeignImage = { readonly text: string; readonly digest: string; readonly blobs: readonly Blob[] };

const blobOf = (bytes: Buffer): Blob => ({ bytes, digest: sha256(bytes) });

/** An image as `docker push` sends it: Docker's media types, gzip layers, a start command in its configuration. */
export function dockerImage(
  more: { labels?: Record<string, string>; architecture?: string; layers?: number } = {},
): ForeignImage {
  const layers = Array.from({ length: more.layers ?? 2 }, () => blobOf(gzipSync(someBytes(2_000))));
  const config = blobOf(
    Buffer.from(
      JSON.stringify({
        ...platform,
        ...(more.architecture === undefined ? {} : { architecture: more.architecture }),
        config: { Entrypoint: ["/bin/app"], Cmd: ["--serve"], User: "app", Labels: more.labels ?? {} },
        rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
      }),
    ),
  );
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: dockerManifestType,
    config: {
      mediaType: "application/vnd.docker.container.image.v1+json",
      digest: config.digest,
      size: config.bytes.length,
    },
    layers: layers.map(({ bytes, digest }) => ({
      mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
      digest,
      size: bytes.length,
    })),
  });
  return { text, digest: sha256(text), blobs: [config, ...layers] };
}

export async function push(registry: TestRegistry, repository: string, image: ForeignImage): Promise<void> {
  for (const { bytes } of image.blobs) await pushBlob(registry, repository, bytes);
  const answer = await putManifest(registry, repository, image.digest, image.text, dockerManifestType);
  if (answer.status !== 201) throw new Error(`the manifest was not taken: ${await answer.text()}`);
}

export type Asked = Omit<Extract<z.input<NonNullable<typeof registerArtifact.body>>, { image: string }>, "service"> & {
  readonly service?: string;
};

/** Asks as the deployer; answers the import as it begins. */
export async function ask(registry: TestRegistry, asked: Asked): Promise<ImportView> {
  const answer = await registry.as("deployer").call(registerArtifact, { body: { service: "shop", ...asked } });
  if (!("import_id" in answer)) throw new Error("a foreign image is an import first");
  return answer;
}

/** The import once it has ended. */
export async function ended(registry: TestRegistry, { import_id: id }: ImportView): Promise<ImportView> {
  const look = async () => {
    const view = await registry.as("viewer").call(getImport, { params: { id } });
    return view.status === "COPYING" ? undefined : view;
  };
  return until(look, { what: `the end of ${id}`, timeoutMs: 60_000 });
}

export async function artifactOf(registry: TestRegistry, view: ImportView) {
  if (view.digest === null) throw new Error(`${view.import_id} is ${view.status}: ${view.reason}`);
  return registry.as("viewer").call(getArtifact, { params: { digest: view.digest } });
}

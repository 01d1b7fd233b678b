import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

export type Blob = { readonly bytes: Buffer; readonly digest: string };
export type ForeignImage = {
  readonly digest: string;
  readonly mediaType: string;
  readonly manifest: Buffer;
  readonly blobs: readonly Blob[];
};
export type Layer = Blob & { readonly diffId: string };

const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
const sha256 = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Answers with what it sees of itself. */
const server = `
import { createServer } from "node:http";
import { existsSync, readFileSync } from "node:fs";
const seen = {
  greeting: process.env.GREETING, level: process.env.LEVEL, cwd: process.cwd(), argv: process.argv.slice(2), root: process.getuid() === 0,
  secret: readFileSync("secret.txt", "utf8").trim(), removed: existsSync("/opt/gone.txt"), hidden: existsSync("/opt/lower/old.txt"),
  added: existsSync("/opt/lower/new.txt"),
};
console.log("started from elsewhere");
createServer((request, answer) => {
  if (request.url.startsWith("/say/")) console.log(request.url.slice(5));
  answer.setHeader("x-slipway-version", process.env.SLIPWAY_VERSION ?? "");
  answer.end(JSON.stringify(seen));
}).listen(Number(process.env.PORT), process.env.HOST);
process.on("SIGTERM", () => process.exit(0));
`;

/** Node and its libraries, as another builder would lay them down, with files that the next layer takes away. */
export function baseLayer(folder: string): Layer {
  const at = (path: string) => join(folder, "base", path);
  const put = (path: string, text: string) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  const libraries = execFileSync("ldd", [process.execPath], { encoding: "utf8" });
  for (const [, path = ""] of libraries.matchAll(/(?:=>\s*|^\s*)(\/\S+)\s+\(0x/gm)) {
    mkdirSync(dirname(at(path)), { recursive: true });
    copyFileSync(path, at(path));
  }
  mkdirSync(at("usr/bin"), { recursive: true });
  copyFileSync(process.execPath, at("usr/bin/node"));
  put("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1001:1001::/home/app:/bin/sh\n");
  put("opt/gone.txt", "removed by the next layer");
  put("opt/lower/old.txt", "hidden by the next layer");
  return layerOf(at("."), "0");
}

/** An image as `docker push` sends it: Docker's media types, whiteouts, files for its own user alone, Entrypoint and Cmd. */
export function foreignImage(
  folder: string,
  base: Layer,
  more: { readonly revision?: string; readonly greeting: string },
): ForeignImage {
  const name = `app-${more.greeting}`;
  const at = (path: string) => join(folder, name, path);
  mkdirSync(at("home/app/service"), { recursive: true });
  mkdirSync(at("opt/lower"), { recursive: true });
  writeFileSync(at("home/app/service/server.mjs"), server, { mode: 0o600 });
  writeFileSync(at("home/app/service/secret.txt"), "readable by its owner\n", { mode: 0o400 });
  for (const private_ of ["home/app", "home/app/service"]) chmodSync(at(private_), 0o700);
  for (const path of ["opt/.wh.gone.txt", "opt/lower/.wh..wh..opq", "opt/lower/new.txt"]) writeFileSync(at(path), "");
  const layers = [base, layerOf(at("."), "1001")];
  const labels = more.revision === undefined ? {} : { "org.opencontainers.image.revision": more.revision };
  const config = blobOf(
    JSON.stringify({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      config: {
        ...{
          Entrypoint: ["/usr/bin/node", "server.mjs"],
          Cmd: ["--from", "cmd"],
          WorkingDir: "/home/app/service",
          User: "app",
        },
        ...{ Env: ["PATH=/usr/bin", `GREETING=${more.greeting}`], Labels: labels },
      },
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType },
      config: described("application/vnd.docker.container.image.v1+json", config),
      layers: layers.map((layer) => described("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)),
    }),
  );
  return { digest: sha256(manifest), mediaType, manifest, blobs: [config, ...layers] };
}

function layerOf(folder: string, owner: string): Layer {
  const args = ["-C", folder, "--numeric-owner", `--owner=${owner}`, `--group=${owner}`, "-cf", "-", "."];
  const tar = execFileSync("tar", args, { maxBuffer: 500_000_000 });
  const bytes = gzipSync(tar, { level: 1 });
  return { bytes, digest: sha256(bytes), diffId: sha256(tar) };
}

function blobOf(text: string): Blob {
  const bytes = Buffer.from(text);
  return { bytes, digest: sha256(bytes) };
}

function described(type: string, { bytes, digest }: Blob) {
  return { mediaType: type, digest, size: bytes.length };
}

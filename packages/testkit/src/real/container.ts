import { existsSync } from "node:fs";
import { basename } from "node:path";
import { GenericContainer, getContainerRuntimeClient } from "testcontainers";
import { type ImageContent, imageOf } from "./container-image.ts";
import { type RealPart, runFolder } from "./part.ts";
import type { Command, Running } from "./running.ts";

/** A label by which the containers of one run are found. */
export const runLabel = "dev.slipway.real-run";

/** Starts a part as it would start by itself, but in a container: the same program and arguments, the same port and folder. */
export function launchContainer(part: RealPart, command: Command): Promise<Running> {
  const { LD_LIBRARY_PATH: libraries } = part.env;
  const also = [...Object.values(part.also), ...(libraries !== undefined && existsSync(libraries) ? [libraries] : [])];
  const content = { name: part.name, programs: [part.program], also, env: part.env };
  const folder = { source: runFolder(), target: runFolder() };
  return runContainer(content, command, { folder, user: `${process.getuid?.()}:${process.getgid?.()}` });
}

export type ContainerPlace = {
  /** What it may read and write of this machine. */
  readonly folder: { readonly source: string; readonly target: string };
  readonly user: string;
};

/** In the engine's own network, so that a port is the same on both sides. */
export async function runContainer(content: ImageContent, command: Command, place: ContainerPlace): Promise<Running> {
  const runtime = await getContainerRuntimeClient();
  const environment = Object.fromEntries(
    Object.entries(command.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  let words = "";
  const started = await new GenericContainer(await imageOf(runtime, content))
    .withNetworkMode("host")
    .withUser(place.user)
    .withBindMounts([{ ...place.folder, mode: "rw" }])
    .withWorkingDir(command.dir)
    .withEntrypoint([content.programs[0] ?? ""])
    .withCommand([...command.args])
    .withEnvironment(environment)
    .withLabels({ [runLabel]: basename(runFolder()) })
    .withLogConsumer((stream) => {
      stream.on("data", (line: Buffer | string) => {
        words = (words + String(line)).slice(-4_000);
      });
    })
    .start();
  const container = runtime.container.getById(started.getId());
  const ended = container.wait().then(async () => void (await container.remove({ force: true })));
  ended.catch(() => undefined);
  return {
    // Whoever has ended cannot be ended, which is what was wanted.
    kill: async (signal) => void (await container.kill({ signal }).catch(() => undefined)),
    ended,
    words: () => words,
  };
}

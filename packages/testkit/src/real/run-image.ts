import { basename } from "node:path";
import { getContainerRuntimeClient } from "testcontainers";
import { runLabel } from "./container.ts";
import { runFolder } from "./part.ts";

/** How an operator runs an image, in the words of a compose file. */
export type ImageRun = {
  readonly image: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Default: the image's own. */
  readonly user?: string;
  readonly readOnly: boolean;
  readonly capDrop: readonly string[];
  readonly securityOpt: readonly string[];
  /** `/tmp:size=64m`. */
  readonly tmpfs: readonly string[];
  /** `/of/this/machine:/of/the/container[:ro]`. */
  readonly volumes: readonly string[];
};

export type ImageRunning = {
  /** With which code it ended. */
  readonly ended: Promise<number>;
  words(): Promise<string>;
  /** Ends it in order, as `docker stop` does; waits for its end. */
  stop(): Promise<number>;
  remove(): Promise<void>;
};

/** Pulls an image from its registry and runs it in the engine's own network. */
export async function runImage(run: ImageRun): Promise<ImageRunning> {
  const { dockerode } = (await getContainerRuntimeClient()).container;
  const pulling = await dockerode.pull(run.image);
  await new Promise<void>((resolve, reject) => {
    dockerode.modem.followProgress(pulling, (error) => (error ? reject(error) : resolve()));
  });
  // The command line knows this one, and tells the engine what it means.
  const unmasked = run.securityOpt.includes("systempaths=unconfined");
  const container = await dockerode.createContainer({
    Image: run.image,
    Cmd: [...run.args],
    Env: Object.entries(run.env).map(([name, value]) => `${name}=${value}`),
    ...(run.user === undefined ? {} : { User: run.user }),
    Labels: { [runLabel]: basename(runFolder()) },
    HostConfig: {
      NetworkMode: "host",
      ReadonlyRootfs: run.readOnly,
      CapDrop: [...run.capDrop],
      SecurityOpt: run.securityOpt.filter((option) => option !== "systempaths=unconfined"),
      Tmpfs: Object.fromEntries(run.tmpfs.map((line) => [line.replace(/:.*/, ""), line.replace(/^[^:]*:?/, "")])),
      Binds: [...run.volumes],
      ...(unmasked ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
    },
  });
  await container.start();
  const ended = container.wait().then(({ StatusCode }: { StatusCode: number }) => StatusCode);
  ended.catch(() => undefined);
  return {
    ended,
    words: async () => String(await container.logs({ stdout: true, stderr: true, tail: 40 })),
    async stop() {
      await container.stop({ t: 30 });
      return await ended;
    },
    remove: async () => void (await container.remove({ force: true })),
  };
}

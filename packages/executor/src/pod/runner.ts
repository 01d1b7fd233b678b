import { mkdir, readdir, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join, posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { OciError, packFolder, unpackFolder } from "@slipway/oci";
import {
  channelTls,
  keyIdentity,
  type podFolders,
  StartBody,
  type StepEnd,
  type StepState,
} from "../kubernetes/channel.ts";
import { runStep } from "../run-step.ts";
import type { PodIsolation } from "../types.ts";
import { type OutputBuffer, outputBuffer } from "./output-buffer.ts";

export type RunnerOptions = {
  readonly key: Uint8Array;
  readonly host: string;
  readonly port: number;
  readonly folders: Readonly<Record<keyof typeof podFolders, string>>;
  /** What the pod was started with, which is what its image sets. */
  readonly env: Readonly<Record<string, string>>;
};

export type Runner = { readonly port: number; close(): void };

const largestStart = 4 * 1_048_576;
/** The sender is the platform: this only keeps a mistake from filling the node. */
const mostSent = { entries: 5_000_000, bytes: 64 * 2 ** 30, fileBytes: 64 * 2 ** 30 };

type Step = {
  phase: StepState["phase"];
  readonly output: OutputBuffer;
  end: StepEnd | undefined;
  /** Files that are on their way in. */
  taking: { readonly from: IncomingMessage; readonly done: Promise<void> } | undefined;
};

/** The first process of a step's pod: takes its files, runs it once, and has what it printed, how it ended and what it left. */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const step: Step = { phase: "open", output: outputBuffer(), end: undefined, taking: undefined };
  const server = createServer(
    {
      ...channelTls,
      pskCallback: (_socket, identity) => (identity === keyIdentity ? Buffer.from(options.key) : null),
      // A workspace takes as long as it takes.
      requestTimeout: 0,
    },
    (request, response) => {
      answer(options, step, request, response).catch((error: unknown) => refuse(response, error));
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  // What has begun can only be cut off, which is how the reader knows.
  if (response.headersSent) return void response.destroy();
  const message = error instanceof Error ? error.message : String(error);
  const status = error instanceof Refused ? error.status : error instanceof OciError ? 400 : 500;
  response.writeHead(status, { "content-type": "text/plain" }).end(message);
}

async function answer(options: RunnerOptions, step: Step, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? "/", "https://runner");
  switch (`${request.method} ${url.pathname}`) {
    case "GET /state":
      return sendJson(response, { phase: step.phase } satisfies StepState);
    case "PUT /files":
      await takeFiles(step, request, folderOf(options, url.searchParams.get("to")));
      return sendJson(response, {});
    case "POST /start":
      start(options, step, StartBody.parse(JSON.parse(await bodyOf(request))));
      return sendJson(response, {});
    case "GET /output":
      response.writeHead(200, { "content-type": "application/octet-stream" });
      return pipeline(Readable.from(step.output.read(Number(url.searchParams.get("from") ?? 0))), response);
    case "GET /result":
      if (step.end === undefined) throw new Refused(409, "the step has not ended");
      return sendJson(response, step.end);
    case "GET /files":
      if (step.end === undefined) throw new Refused(409, "the step has not ended");
      response.writeHead(200, { "content-type": "application/x-tar" });
      return pipeline(Readable.from(packFolder(folderOf(options, url.searchParams.get("from")))), response);
    default:
      throw new Refused(404, `there is no ${request.method} ${url.pathname}`);
  }
}

function sendJson(response: ServerResponse, value: object): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > largestStart) throw new Refused(413, "the start is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function folderOf({ folders }: RunnerOptions, asked: string | null): string {
  const path = posix.normalize(asked ?? "");
  if (path === folders.workspace || path === folders.home) return path;
  if ([folders.tools, folders.cache].some((folder) => path.startsWith(`${folder}/`))) return path;
  throw new Refused(400, `${path} is no folder of a step`);
}

/** A sender who died in the middle makes way for the next one, and so does what he left. */
async function takeFiles(step: Step, request: IncomingMessage, folder: string): Promise<void> {
  const before = step.taking;
  before?.from.destroy();
  await before?.done.catch(() => undefined);
  if (step.phase !== "open" || step.taking !== before) throw new Refused(409, "somebody else has begun the step");
  const done = unpackFresh(request, folder);
  step.taking = { from: request, done };
  await done;
  step.taking = undefined;
}

async function unpackFresh(request: IncomingMessage, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
  await unpackFolder(request, folder, mostSent);
}

function start(options: RunnerOptions, step: Step, body: StartBody): void {
  if (step.phase !== "open") return;
  if (step.taking !== undefined) throw new Refused(409, "files are still on their way in");
  step.phase = "running";
  const finish = (end: StepEnd): void => {
    step.end = end;
    step.phase = "ended";
    step.output.end();
  };
  run(options, step, body).then(finish, (error: unknown) =>
    finish({ outcome: "failed", exitCode: null, reason: `the step could not be run: ${String(error)}` }),
  );
}

async function run({ folders, env }: RunnerOptions, step: Step, body: StartBody): Promise<StepEnd> {
  const scratch = join(folders.base, "run");
  await mkdir(scratch, { recursive: true });
  const isolation: PodIsolation = {
    ...{ kind: "isolation", method: "pod", limits: "none", description: "pod", asRoot: false, cgroups: [] },
    ...{ nodePath: process.execPath, scratch },
  };
  const { PATH = "/usr/local/bin:/usr/bin:/bin" } = env;
  const result = await runStep({
    ...{ isolation, identity: "pod", workspace: folders.workspace, command: body.command },
    ...(body.home ? { home: folders.home } : {}),
    env: { PATH, ...(body.imageEnv ? env : {}), ...body.env },
    secretEnv: body.secretEnv,
    timeoutMs: body.timeoutMs,
    limits: body.limits,
    onOutput: (chunk) => step.output.add(chunk),
  });
  return result;
}

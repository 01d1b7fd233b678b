import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "@slipway/client";
import { ExternalRegistration, getImport, type ImportView, registerArtifact } from "@slipway/contracts";
import type { Command } from "commander";
import { exitCodes, Unusable } from "../exit-codes.ts";
import { findSlipwayFile, serviceOr } from "../here.ts";
import { note } from "../note.ts";
import { print, wantsJson, withClient } from "../output.ts";
import { typed } from "../typed.ts";

type Options = {
  readonly service?: string;
  readonly file?: string;
  readonly gitSha?: string;
  readonly platform?: string;
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly wait: boolean;
};

const lookMs = 500;

/** `slipway artifacts add IMAGE@DIGEST`: an image that was built elsewhere, copied here and registered. */
export function artifactsAddCommand(root: Command, artifacts: Command): void {
  artifacts
    .command("add")
    .description("copy an image that was built elsewhere, and register it as an artifact")
    .argument("<image>", "<host>/<name>@sha256:<digest>")
    .option("--service <name>", "default: that of slipway.yaml here")
    .option(
      "--file <path>",
      "how it runs: a slipway.yaml, whose pipeline and image are left aside (default: the one here)",
    )
    .option("--git-sha <commit>", "which commit it is of (default: its label org.opencontainers.image.revision)")
    .option(
      "--platform <platform>",
      "which image of a multi-platform index, e.g. linux/arm64 (default: the platform's own)",
    )
    .option("--username <name>", "for the registry; the password is read from stdin")
    .option("--password-stdin", "read the password from stdin (implied by --username)")
    .option("--no-wait", "do not wait for the copy")
    .action(async (image: string, own: Options) => {
      const service = serviceOr(own.service, "--service");
      const file = own.file ?? findSlipwayFile();
      const asked = {
        ...{ service, image, spec: file === undefined ? {} : await specOf(file) },
        ...(own.gitSha === undefined ? {} : { git_sha: own.gitSha }),
        ...(own.platform === undefined ? {} : { platform: own.platform }),
        ...(await credentialsOf(own)),
      };
      const given = { git_sha: "--git-sha", platform: "--platform", credentials: "--username", spec: file ?? "spec" };
      const input = typed(ExternalRegistration, asked, given);
      await withClient(root, async (client) => {
        const begun = await client.call(registerArtifact, { body: input, idempotencyKey: crypto.randomUUID() });
        if (!("import_id" in begun)) throw new Error("the platform answered with an artifact of its own");
        const view = own.wait ? await untilEnded(root, client, begun) : begun;
        print(root, view, said(view));
        if (view.status === "FAILED") process.exitCode = exitCodes.refused;
      });
    });
}

async function untilEnded(root: Command, client: Client, begun: ImportView): Promise<ImportView> {
  let last = "";
  for (
    let view = begun;
    ;
    view = await client.call(getImport, { params: { id: begun.import_id }, timeoutMs: 60_000 })
  ) {
    if (view.status !== "COPYING") return view;
    const text = progressOf(view);
    if (text !== last && !wantsJson(root)) note(text);
    last = text;
    await pause(lookMs);
  }
}

function progressOf(view: ImportView): string {
  const total = view.bytes_total;
  const bytes = total === null ? "" : `, ${mebibytes(view.bytes_copied)} of ${mebibytes(total)} MiB`;
  const until = `until ${new Date(view.deadline_at).toLocaleTimeString("en-GB")} at the latest`;
  return `${view.import_id} ${view.status}${bytes}, waiting for ${view.waiting?.for ?? "its end"}, ${until}`;
}

function mebibytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1);
}

function said(view: ImportView): string {
  if (view.status === "COPYING")
    return `${progressOf(view)}\nGET /api/v1/imports/${view.import_id} says how it is doing.`;
  if (view.status === "FAILED") return `${view.import_id} FAILED: ${view.reason}`;
  return `${view.import_id} REGISTERED: ${view.service} ${view.git_sha?.slice(0, 7)} is ${view.digest}\nslipway artifacts promote ${view.digest} --to ENVIRONMENT takes it further.`;
}

/** The part of slipway.yaml that says how a version runs. */
async function specOf(path: string): Promise<unknown> {
  const { readYaml } = await import("@slipway/pipeline");
  const {
    pipeline: _pipeline,
    image: _image,
    ...spec
  } = asObject(
    parsed(() => readYaml(contentOf(path)), path),
    path,
  );
  return spec;
}

function parsed(read: () => unknown, path: string): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof Unusable) throw error;
    throw new Unusable(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new Unusable(`${path} cannot be read.`);
  }
}

function asObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Unusable(`${path} is no slipway.yaml.`);
}

async function credentialsOf({ username, passwordStdin }: Options) {
  if (username === undefined) {
    if (passwordStdin === true) throw new Unusable("--password-stdin needs --username.");
    return {};
  }
  if (process.stdin.isTTY) note(`Password of ${username} (end with Ctrl-D):`);
  const password = (await text(process.stdin)).replace(/\r?\n$/, "");
  if (password === "") throw new Unusable("There was no password on stdin.");
  return { credentials: { username, password } };
}

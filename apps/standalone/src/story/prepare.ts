import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { putRepository, putService } from "@slipway/contracts";
import type { ServiceName } from "@slipway/kernel";
import { HookFile } from "../git/deliver-push.ts";
import { ensureBareRepository } from "../git/repository.ts";
import { serviceName, type Work } from "./context.ts";
import { openWorkingCopy } from "./working-copy.ts";

export type WorkInput = Omit<Work, "copy" | "countsFile"> & {
  /** The checkout, with the example in it. */
  readonly home: string;
  /** The program that git's hook starts. */
  readonly entry: string;
};

/** The example's repository on this platform and a developer's clone of it, made or found again. */
export async function openWork(input: WorkInput): Promise<Pick<Work, "copy" | "countsFile">> {
  const { stack, options, home } = input;
  const remote = await prepareRepository(input);
  const copy = await openWorkingCopy({
    folder: join(options.dataDir, "story", "orders"),
    example: join(home, "examples", "order-service"),
    remote,
    tokenFile: stack.tokenFile("deployer"),
  });
  return { copy, countsFile: join(options.dataDir, "story", "load.json") };
}

/** The platform's own bare repository for the example, its webhook, and the service's registration. Returns where to push. */
async function prepareRepository({ stack, options, entry }: WorkInput): Promise<string> {
  const path = join(options.dataDir, "git", `${serviceName}.git`);
  const remote = `${stack.url}/git/${serviceName}.git`;
  const secret = webhookSecret(join(path, "slipway-hook.json"));
  await ensureBareRepository(
    path,
    {
      repository: path,
      url: remote,
      webhook: `${stack.url}/webhooks/github`,
      secret,
      fullName: `local/${serviceName}`,
    },
    entry,
  );
  const service = serviceName as ServiceName;
  const readable = new URL(remote);
  readable.username = "build-service";
  readable.password = readFileSync(stack.tokenFile("viewer"), "utf8").trim();
  await stack.as("admin").call(putService, { params: { name: service }, body: { owner: "Ada Newcomer" } });
  await stack.as("admin").call(putRepository, { params: { service }, body: { url: readable.href, secret } });
  return remote;
}

function webhookSecret(file: string): string {
  return existsSync(file)
    ? HookFile.parse(JSON.parse(readFileSync(file, "utf8"))).secret
    : randomBytes(24).toString("base64url");
}

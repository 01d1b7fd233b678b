import type { SecretView } from "@slipway/contracts";
import type { Command } from "commander";
import { connect } from "../connection.ts";
import { Unusable } from "../exit-codes.ts";
import { environmentOf } from "../known-environment.ts";
import { note } from "../note.ts";
import { type Common, print } from "../output.ts";
import { readBytes } from "../secrets/read-bytes.ts";
import { readHidden } from "../secrets/read-hidden.ts";
import { readValue } from "../secrets/read-value.ts";
import { typed } from "../typed.ts";

type Place = { readonly env?: string; readonly build?: true };

/** `slipway secrets set|list|remove`. A value is read, never given as an argument: those can be read by every user of a machine. */
export function secretsCommand(root: Command): void {
  const secrets = root
    .command("secrets")
    .description("secrets of build steps and of pods; their values are never shown");
  setCommand(root, secrets);
  secrets
    .command("list")
    .description("what is set for a service: names, where, when and by whom")
    .argument("<service>")
    .action(async (service: string) => {
      const { listBuildSecrets, listWorkloadSecrets, ServiceNameSchema } = await import("@slipway/contracts");
      const params = { service: typed(ServiceNameSchema, service) };
      const client = await connect(root.opts<Common>());
      const lists = await Promise.all([
        client.call(listBuildSecrets, { params }),
        client.call(listWorkloadSecrets, { params }),
      ]);
      const all = lists.flatMap((list) => list.secrets);
      print(root, { secrets: all }, all.length === 0 ? `${service} has no secrets.` : all.map(line).join("\n"));
    });
  placed(secrets.command("remove"))
    .description("remove a secret with every value that it had; pods that run keep theirs")
    .action(async (service: string, name: string, place: Place, command: Command) => {
      const { removeBuildSecret, removeWorkloadSecret } = await import("@slipway/contracts");
      const { environment, ...params } = await paramsOf(service, name, place, command);
      const client = await connect(root.opts<Common>());
      const removed =
        environment === undefined
          ? await client.call(removeBuildSecret, { params })
          : await client.call(removeWorkloadSecret, { params: { ...params, environment } });
      print(root, removed, `${removed.name} of ${removed.service} is removed (${removed.scope})`);
    });
}

function setCommand(root: Command, secrets: Command): void {
  placed(secrets.command("set"))
    .description("set a secret; its value is read from standard input, without echo on a terminal")
    .option("--from-file <path>", "read the value from a file, as it is")
    .action(async (service: string, name: string, own: Place & { fromFile?: string }, command: Command) => {
      const { putBuildSecret, putWorkloadSecret } = await import("@slipway/contracts");
      const { environment, ...params } = await paramsOf(service, name, own, command);
      const body = { value: await readSecret(params.secret, own.fromFile) };
      const client = await connect(root.opts<Common>());
      const set =
        environment === undefined
          ? await client.call(putBuildSecret, { params, body })
          : await client.call(putWorkloadSecret, { params: { ...params, environment }, body });
      print(root, set, `${set.name} of ${set.service} is set (${set.scope}, revision ${set.revision})`);
      if (set.warning !== undefined) note(set.warning);
    });
}

/** Where a secret holds, and for what it is called. */
function placed(command: Command): Command {
  return (
    command
      .argument("<service>")
      .argument("<name>", "e.g. DB_URL, the variable that it becomes")
      .option("--env <environment>", "for the pods of this environment")
      .option("--build", "for build steps")
      // Refused in our own words: commander would repeat what stands there too much, and that may be a value.
      .allowExcessArguments()
  );
}

async function paramsOf(service: string, name: string, { env, build }: Place, { args }: Command) {
  if ((env === undefined) === (build === undefined))
    throw new Unusable("Say where: either --env ENVIRONMENT or --build.");
  if (name.includes("=") || args.length > 2) {
    throw new Unusable(
      "Only the name is an argument. The value comes by standard input, for others can read the arguments of a command; change the one just typed.",
    );
  }
  const { SecretNameSchema, ServiceNameSchema } = await import("@slipway/contracts");
  return {
    service: typed(ServiceNameSchema, service),
    secret: typed(SecretNameSchema, name),
    environment: environmentOf(env),
  };
}

async function readSecret(name: string, fromFile: string | undefined): Promise<string> {
  if (fromFile !== undefined) return await textOf(await readBytes(fromFile));
  const { largestSecretBytes } = await import("@slipway/contracts");
  const { stdin, stderr } = process;
  // What `echo` and editors add is not part of a value that is piped.
  const value = stdin.isTTY
    ? await readHidden(stdin, stderr, `${name}: `)
    : (await textOf(await readValue(stdin, largestSecretBytes + 2))).replace(/\r?\n$/, "");
  if (value === "") throw new Unusable("The value is empty: type it, or give it by standard input or --from-file.");
  return value;
}

async function textOf(bytes: Uint8Array): Promise<string> {
  const { largestSecretBytes } = await import("@slipway/contracts");
  if (bytes.length > largestSecretBytes + 2) throw new Unusable(`A secret has at most ${largestSecretBytes} bytes.`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Unusable("The value is not UTF-8 text; encode it, e.g. in base64.");
  }
}

function line({ name, scope, set_at: at, set_by: by, readable }: SecretView): string {
  const lost = readable ? "" : "  ITS KEY IS NOT THERE";
  return `${name.padEnd(24)} ${scope.padEnd(10)} ${at}  ${by}${lost}`;
}

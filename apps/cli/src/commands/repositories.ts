import type { RepositoryView } from "@slipway/contracts";
import type { Command } from "commander";
import { allPages } from "../all-pages.ts";
import { connect, lastConnection } from "../connection.ts";
import { Unusable } from "../exit-codes.ts";
import { note } from "../note.ts";
import { type Common, print, table } from "../output.ts";
import { readBytes } from "../secrets/read-bytes.ts";
import { readHidden } from "../secrets/read-hidden.ts";
import { readValue } from "../secrets/read-value.ts";
import { typed } from "../typed.ts";

type Own = { readonly secretFile?: string; readonly username?: string; readonly passwordFile?: string };

const longest = { secret: 200, password: 1_000 };

/** `slipway repositories set|list|remove`. Passwords and secrets are read, never given as arguments, and never shown. */
export function repositoriesCommand(root: Command): void {
  const repositories = root
    .command("repositories")
    .description("where services' repositories are, and how their webhooks are signed");
  setCommand(root, repositories);
  repositories
    .command("list")
    .description("which repository each service is built from, and since when; never a password or a secret")
    .argument("[service]")
    .action(async (name: string | undefined) => {
      const { listRepositories, ServiceNameSchema } = await import("@slipway/contracts");
      const service = name === undefined ? {} : { service: typed(ServiceNameSchema, name) };
      const client = await connect(root.opts<Common>());
      const pages = await allPages((page) => client.call(listRepositories, { query: { ...service, ...page } }));
      const all = pages.flatMap(({ repositories: found }) => found);
      const none = name === undefined ? "No service has a repository." : `${name} has no repository.`;
      print(root, { repositories: all }, all.length === 0 ? none : table(all.map(row)));
    });
  repositories
    .command("remove")
    .description("build a service from its repository no more; what was built, and what serves, stays")
    .argument("<service>")
    .action(async (name: string) => {
      const { removeRepository, ServiceNameSchema } = await import("@slipway/contracts");
      const client = await connect(root.opts<Common>());
      const removed = await client.call(removeRepository, { params: { service: typed(ServiceNameSchema, name) } });
      print(root, removed, `${removed.service} is no longer built from ${removed.url}`);
    });
}

function setCommand(root: Command, repositories: Command): void {
  repositories
    .command("set")
    .description("build a service from a repository; its webhook's secret is read from standard input, without echo")
    .argument("<service>")
    .argument("<url>", "the https URL that git clones, without a password")
    .option("--secret-file <path>", "read the webhook's secret from a file")
    .option("--username <name>", "of whoever may fetch it, where it is not public")
    .option("--password-file <path>", "their password or token")
    // Refused in our own words: commander would repeat what stands there too much, and that may be a secret.
    .allowExcessArguments()
    .action(async (name: string, url: string, own: Own, { args }: Command) => {
      const { putRepository, ServiceNameSchema } = await import("@slipway/contracts");
      const service = typed(ServiceNameSchema, name);
      if (args.length > 2 || hasCredentials(url)) {
        throw new Unusable(
          "Neither a secret nor a password is an argument, for others can read the arguments of a command: the secret comes by standard input or --secret-file, who fetches by --username and --password-file. Change the one just typed.",
        );
      }
      const body = { url: await withCredentials(url, own), secret: await webhookSecret(own.secretFile) };
      const client = await connect(root.opts<Common>());
      const set = await client.call(putRepository, { params: { service }, body });
      print(root, set, `${set.service} is built from ${set.url}`);
      const at = lastConnection()?.url.replace(/\/+$/, "") ?? "";
      note(`Its webhook: ${at}/webhooks/github, with this secret, for the event push.`);
    });
}

/** Of an address over http: before ssh's there stands a user, who is no secret. */
function hasCredentials(text: string): boolean {
  const url = URL.parse(text);
  if (url === null) return false;
  return url.password !== "" || (/^https?:$/.test(url.protocol) && url.username !== "");
}

async function withCredentials(text: string, { username, passwordFile }: Own): Promise<string> {
  if (username === undefined && passwordFile === undefined) return text;
  if (username === undefined || passwordFile === undefined)
    throw new Unusable("--username and --password-file go together.");
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new Unusable("A user and a password are for an https URL.");
  const password = lineOf(await readBytes(passwordFile), longest.password, "The password");
  url.username = encodeURIComponent(username);
  url.password = encodeURIComponent(password);
  return url.href;
}

async function webhookSecret(file: string | undefined): Promise<string> {
  const { stdin, stderr } = process;
  const given = async () => {
    if (file !== undefined) return readBytes(file);
    if (stdin.isTTY) return Buffer.from(await readHidden(stdin, stderr, "Secret of the webhook: "));
    return readValue(stdin, longest.secret + 2);
  };
  const secret = lineOf(await given(), longest.secret, "The webhook's secret");
  if (secret.length < 16) {
    throw new Unusable(
      "The webhook's secret has at least 16 characters, given by standard input or --secret-file: openssl rand -hex 32 makes one.",
    );
  }
  return secret;
}

/** One line, without the end that `echo` and editors add. What is wrong with it is said without repeating it. */
function lineOf(bytes: Uint8Array, most: number, what: string): string {
  const text = Buffer.from(bytes)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (text === "" || text.length > most || /\p{Cc}|\ufffd/u.test(text))
    throw new Unusable(`${what} is one line of text, of at most ${most} characters.`);
  return text;
}

function row({ service, url, credentials, updated_at: at }: RepositoryView): string[] {
  return [service, url, at, credentials ? "with a password" : ""];
}

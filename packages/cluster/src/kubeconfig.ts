import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { errorCodes } from "@slipway/kernel";
import { parse } from "yaml";
import { z } from "zod";
import { KubeconfigBroken, RegionRejected, RegionUnavailable } from "./errors.ts";

/** Where a cluster's way in is written down. */
export type Place = {
  readonly region: string;
  /** Undefined: the account of the pod that this process runs in. */
  readonly kubeconfig: string | undefined;
  /** Undefined: the kubeconfig's own. */
  readonly context: string | undefined;
};
type Client = typeof import("./kubernetes-client.ts");
type Probe = InstanceType<Client["RequestContext"]>;
export type Dispatcher = ReturnType<Probe["getDispatcher"]>;

/** How a cluster is reached: its server, and a request of the client library's that carries what proves who asks. */
export type Way = {
  /** Another one where the kubeconfig, or a certificate or key in a file that it names, has changed: connections of before prove nothing any more. */
  readonly identity: string;
  readonly server: string;
  readonly probe: Probe;
  /** One more agent with the same credentials, which has no connections yet. */
  freshDispatcher(): Promise<Dispatcher>;
  /** True: whoever gives the credentials (a program of `exec`, the kubelet) sees to new ones by itself. */
  readonly renewed: boolean;
};

/** Reads the kubeconfig, with all that it names: files, and what a program of `exec` says. */
export async function readWay(client: Client, place: Place): Promise<Way> {
  const { region, kubeconfig, context = "in use" } = place;
  const { config, text } = await loadConfig(client, place);
  const identity = `${text}\n${await digestOfFiles(config)}`;
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw new RegionRejected(region, `the kubeconfig ${kubeconfig ?? "of the pod"} has no context ${context}`);
  const server = cluster.server.replace(/\/$/, "");
  const freshDispatcher = async () => {
    const another = new client.RequestContext(server, "GET");
    await config.applySecurityAuthentication(another);
    return another.getDispatcher();
  };
  // The account of a pod has nothing that could be corrected there.
  if (kubeconfig === undefined) {
    const probe = new client.RequestContext(server, "GET");
    await config.applySecurityAuthentication(probe);
    return { identity, server, probe, freshDispatcher, renewed: true };
  }
  requireServer(region, kubeconfig, server);
  const probe = new client.RequestContext(server, "GET");
  const user = config.getCurrentUser();
  try {
    await config.applySecurityAuthentication(probe);
    const token = await tokenOfFile(text, user?.name, kubeconfig);
    if (token !== undefined) probe.setHeaderParam("Authorization", `Bearer ${token}`);
  } catch (error) {
    throw credentialsProblem(region, kubeconfig, commandOf(user?.exec), error);
  }
  return { identity, server, probe, freshDispatcher, renewed: user?.exec !== undefined };
}

/** Of what is renewed in files while the kubeconfig stays as it is. One that cannot be read is told by whoever needs it. */
async function digestOfFiles(config: InstanceType<Client["KubeConfig"]>): Promise<string> {
  const { caFile } = config.getCurrentCluster() ?? {};
  const { certFile, keyFile } = config.getCurrentUser() ?? {};
  const hash = createHash("sha256");
  for (const file of [caFile, certFile, keyFile]) {
    const bytes = file === undefined ? Buffer.alloc(0) : await readFile(file).catch(() => Buffer.alloc(0));
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest("hex");
}

async function loadConfig(client: Client, { region, kubeconfig, context }: Place) {
  const config = new client.KubeConfig();
  if (kubeconfig === undefined) {
    config.loadFromCluster();
    return { config, text: "" };
  }
  const text = await readFile(kubeconfig, "utf8").catch((cause: unknown) => {
    throw new RegionUnavailable(region, `the kubeconfig ${kubeconfig} cannot be read (${errorCodes(cause).trim()})`, {
      cause,
    });
  });
  try {
    config.loadFromString(text);
  } catch (error) {
    // Neither the parser's words nor the error itself: they quote the line, which may be the token's.
    const line = /\((\d+):\d+\)/.exec(error instanceof Error ? error.message : "")?.[1];
    const where = line === undefined ? "" : `, see line ${line}`;
    throw new RegionUnavailable(region, `the kubeconfig ${kubeconfig} cannot be read (it is none${where})`);
  }
  config.makePathsAbsolute(dirname(kubeconfig));
  if (context !== undefined) config.setCurrentContext(context);
  return { config, text };
}

/** What the HTTP library would refuse without a word of it. */
function requireServer(region: string, kubeconfig: string, server: string): void {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  const at = `\`server\` in ${kubeconfig}`;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new KubeconfigBroken(region, `${at} is no URL`, "begin it with https://");
  if (url.username !== "" || url.password !== "")
    throw new KubeconfigBroken(
      ...([region, `${at} has a user and a password, which nobody is sent`] as const),
      "take them out, and name a token in `users`",
    );
}

const Users = z.looseObject({
  users: z.array(z.looseObject({ name: z.string(), user: z.looseObject({ tokenFile: z.string().optional() }) })),
});

/** Of the user's `tokenFile`, which the client library passes over. It wins over `token`, as for kubectl. */
async function tokenOfFile(text: string, user: string | undefined, kubeconfig: string): Promise<string | undefined> {
  const { users = [] } = Users.safeParse(parse(text)).data ?? {};
  const file = users.find(({ name }) => name === user)?.user.tokenFile;
  return file === undefined ? undefined : (await readFile(resolve(dirname(kubeconfig), file), "utf8")).trim();
}

const Exec = z.looseObject({ command: z.string() });
const commandOf = (exec: unknown): string | undefined => Exec.safeParse(exec).data?.command;

/** Where credentials are missing nothing was sent: what the client library met says what to mend. */
function credentialsProblem(region: string, kubeconfig: string, command: string | undefined, cause: unknown): Error {
  const code = errorCodes(cause).trim();
  const broken = (what: string, remedy: string) => new KubeconfigBroken(region, what, remedy);
  const program = `the program ${command} of \`exec\` in ${kubeconfig}`;
  // Of Node, where it met a program or a file.
  const call = cause as { readonly syscall?: unknown; readonly path?: unknown };
  if (typeof call.syscall === "string" && call.syscall.startsWith("spawn"))
    return broken(`${program} cannot be started (${code})`, "install it where this process runs, or put a token there");
  if (code !== "" && typeof call.path === "string")
    return broken(
      `${call.path}, which ${kubeconfig} names, cannot be read (${code})`,
      `put it there, or correct ${kubeconfig}`,
    );
  const words = cause instanceof Error ? cause.message.trim() : "";
  if (words.includes("HTTP protocol is not allowed"))
    return broken("nobody may be sent a token in the clear", `say https:// in \`server\` of ${kubeconfig}`);
  if (command === undefined)
    return broken(`${kubeconfig} cannot be used${code === "" ? "" : ` (${code})`}`, "correct it");
  const byHand = "run it by hand as this process's user";
  // What it printed may be the token: neither it nor an error that quotes it is passed on.
  if (cause instanceof SyntaxError || cause instanceof TypeError)
    return broken(`${program} prints no ExecCredential`, byHand);
  const last = words.split("\n").at(-1)?.slice(0, 200) || "without a word";
  return broken(`${program} fails (${last})`, byHand);
}

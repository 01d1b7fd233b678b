// Runs in a network namespace of its own: pods as small servers on addresses that a region may give them, one Envoy, and clients that call through it.
// Commands come over a Unix socket, which leads out of the namespace.
import { spawn, spawnSync } from "node:child_process";
import { Agent, createServer, get, type IncomingMessage } from "node:http";

const [control = "", envoy = "", bootstrap = "", servicePort = "80"] = process.argv.slice(2);
const adminPort = 15_000;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

type Command =
  | { readonly kind: "pod"; readonly ip: string; readonly port: number; readonly version: string }
  | { readonly kind: "load"; readonly host: string; readonly requests: number; readonly clients: number }
  | { readonly kind: "flow"; readonly host: string; readonly clients: number }
  | { readonly kind: "routes" }
  | { readonly kind: "seen" }
  | { readonly kind: "still" };

const ip = (...args: string[]) => {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
};

ip("link", "set", "lo", "up");
spawn("setpriv", ["--pdeathsig", "KILL", envoy, "-c", bootstrap, "--concurrency", "1", "-l", "error"], {
  stdio: ["ignore", "inherit", "inherit"],
}).once("exit", (code) => process.exit(code ?? 1));

/** When each version answered last, in milliseconds since the machine started. */
const seen: Record<string, number> = {};
let flowing = false;
let flows: Promise<void>[] = [];

/** The version that answered, or the status of who answered in its place. */
function call(host: string): Promise<string> {
  return new Promise((resolve) => {
    get({ host: "127.0.0.1", port: Number(servicePort), agent, headers: { host } }, (answer) => {
      answer.resume().once("end", () => resolve(String(answer.headers["x-version"] ?? answer.statusCode)));
    }).once("error", (error) => resolve(error.message));
  });
}

async function load({ host, requests, clients }: Extract<Command, { kind: "load" }>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  let left = requests;
  const client = async () => {
    while (left > 0) {
      left -= 1;
      const version = await call(host);
      counts[version] = (counts[version] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return counts;
}

async function flow(host: string): Promise<void> {
  while (flowing) seen[await call(host)] = Number(process.hrtime.bigint()) / 1e6;
}

async function obey(command: Command): Promise<unknown> {
  switch (command.kind) {
    case "pod": {
      ip("address", "replace", `${command.ip}/32`, "dev", "lo");
      const pod = createServer((_, answer) => answer.setHeader("x-version", command.version).end(command.version));
      await new Promise<void>((resolve) => pod.listen(command.port, command.ip, resolve));
      return {};
    }
    case "load":
      return load(command);
    case "flow":
      flowing = true;
      flows = Array.from({ length: command.clients }, () => flow(command.host));
      return {};
    case "routes":
      return (await fetch(`http://127.0.0.1:${adminPort}/config_dump?resource=dynamic_route_configs`)).json();
    case "seen":
      return seen;
    case "still":
      flowing = false;
      await Promise.all(flows);
      return seen;
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

createServer(async (request, answer) => {
  try {
    answer.end(JSON.stringify(await obey(JSON.parse(await textOf(request)))));
  } catch (error) {
    answer.writeHead(500).end(String(error));
  }
}).listen(control);

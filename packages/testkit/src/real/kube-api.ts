import { spawn } from "node:child_process";
import { Agent, type RequestOptions, request } from "node:https";

/** How an API server is reached, and as whom. */
export type KubeAccess = { readonly port: number; readonly ca: string; readonly token: string };

export type KubeMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export type KubeCall = (method: KubeMethod, path: string, body?: unknown, contentType?: string) => Promise<unknown>;

/** Another answer than 2xx, with the words of the server. */
export class KubeRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(`${status}: ${message}`);
    this.name = "KubeRefusal";
    this.status = status;
  }
}

/** Calls over connections that stay open. `close` cuts them. */
export function kubeCalls({ port, ca, token }: KubeAccess): { readonly call: KubeCall; close(): void } {
  const agent = new Agent({ keepAlive: true, ca });
  return {
    async call(method, path, body, contentType = "application/json") {
      const content = body === undefined ? {} : { "content-type": contentType };
      const headers = { authorization: `Bearer ${token}`, accept: "application/json", ...content };
      const { status, text } = await exchange(
        { host: "127.0.0.1", port, method, path, agent, headers },
        body === undefined ? undefined : JSON.stringify(body),
      );
      if (status >= 300) throw new KubeRefusal(status, messageOf(text));
      return text.startsWith("{") ? JSON.parse(text) : text;
    },
    close: () => agent.destroy(),
  };
}

function exchange(options: RequestOptions, body: string | undefined): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(options, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
      answer.on("error", reject);
    });
    sent.setTimeout(30_000, () => sent.destroy(new Error("no answer in 30 s")));
    sent.once("error", reject);
    sent.end(body);
  });
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text;
  }
}

/** A kubeconfig for this access; JSON is YAML. */
export function kubeconfigText({ port, ca, token }: KubeAccess, context: string): string {
  const cluster = {
    server: `https://127.0.0.1:${port}`,
    "certificate-authority-data": Buffer.from(ca).toString("base64"),
  };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: context, cluster }],
    users: [{ name: context, user: { token } }],
    contexts: [{ name: context, context: { cluster: context, user: context } }],
    "current-context": context,
  });
}

/** What kubectl prints. Throws with what it said. */
export function runKubectl(
  program: string,
  args: readonly string[],
  { kubeconfig, home, input = "" }: { readonly kubeconfig: string; readonly home: string; readonly input?: string },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfig };
    const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"], timeout: 120_000 });
    let out = "";
    let words = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      words += chunk.toString();
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`kubectl ${args.join(" ")}: ${words.trim() || `exit code ${code}`}`));
    });
    child.stdin.on("error", () => undefined).end(input);
  });
}

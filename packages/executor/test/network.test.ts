import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Isolation, probeIsolation, runNetworkedStep, type StepNetwork } from "../src/index.ts";

let folder = "";
let registry: Server;
let other: Server;
const port = (server: Server): number => (server.address() as AddressInfo).port;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-network-"));
  await chmod(folder, 0o755);
  registry = createServer((_, answer) => answer.end("a package")).listen(0, "127.0.0.1");
  other = createServer((_, answer) => answer.end("a secret")).listen(0, "127.0.0.1");
});
afterAll(async () => {
  registry.close();
  other.close();
  await rm(folder, { recursive: true, force: true });
});

/** Asks for a URL by the proxy of the step (plain, and through a tunnel) or without one. */
const fetcher = `
const http = require("node:http"), url = new URL(process.argv[1]), how = process.argv[2];
const proxy = process.env.HTTP_PROXY ? new URL(process.env.HTTP_PROXY) : undefined;
const say = (answer) => answer.on("data", (text) => process.stdout.write(answer.statusCode + " " + text));
const fail = (error) => console.log("failed", error.code);
if (how === "direct") http.get(url, say).on("error", fail);
else if (!proxy) console.log("no proxy");
else if (how === "plain") http.get({ host: proxy.hostname, port: proxy.port, path: url.href }, say).on("error", fail);
else http.request({ host: proxy.hostname, port: proxy.port, method: "CONNECT", path: url.host })
  .on("connect", (answer, socket, rest) => {
    if (answer.statusCode !== 200) { console.log(answer.statusCode, String(rest)); socket.destroy(); return; }
    http.get(url, { createConnection: () => socket }, (got) => got.on("data", (text) => { console.log(200, String(text)); socket.destroy(); }));
  }).on("error", fail).end();
`;

for (const method of ["bubblewrap", "namespaces"] as const) {
  const probe = await probeIsolation({ method });
  const missing = probe.kind === "refused" ? ` (skipped: ${probe.reason})` : "";

  describe.skipIf(probe.kind === "refused")(`${method}${missing}`, () => {
    const ask = async (network: StepNetwork, how: string, server: Server, more = "") => {
      const workspace = await mkdtemp(join(folder, "ws-"));
      const lines: string[] = [];
      let output = "";
      const result = await runNetworkedStep({
        isolation: probe as Isolation,
        identity: workspace,
        workspace,
        network,
        registries: { hosts: [`127.0.0.1:${port(registry)}`], env: {} },
        toolchain: {
          mounts: [],
          env: {},
          path: "/opt/slipway/bin:/usr/bin:/bin",
          python: undefined,
          go: undefined,
          versions: "",
        },
        command: ["node", "-e", `${fetcher}${more}`, `http://127.0.0.1:${port(server)}/x`, how],
        timeoutMs: 20_000,
        onOutput: (chunk) => {
          output += Buffer.from(chunk).toString();
        },
        onNetwork: (line) => lines.push(line),
      });
      const why = result.reason === undefined ? {} : { reason: result.reason };
      return { outcome: result.outcome, output: output.trim(), lines, ...why };
    };

    test("without a network a step reaches nothing and has no proxy", async () => {
      expect((await ask("none", "direct", registry)).output).toBe("failed ECONNREFUSED");
      expect((await ask("none", "plain", registry)).output).toBe("no proxy");
    });

    test.each(["plain", "tunnel"])("registries: a registry is reached (%s) and written down", async (how) => {
      const host = `127.0.0.1:${port(registry)}`;

      expect(await ask("registries", how, registry)).toEqual({
        outcome: "succeeded",
        output: "200 a package",
        lines: [`network: ${host}`, `network: ${host}, 1 connections in all`],
      });
    });

    test.each(["plain", "tunnel"])("registries: any other host is refused (%s) and written down", async (how) => {
      const { output, lines } = await ask("registries", how, other);

      expect(output).toContain("403");
      expect(output).not.toContain("a secret");
      expect(lines).toEqual([`network: REFUSED 127.0.0.1:${port(other)}: not a package registry of this machine`]);
    });

    test("registries: past the proxy there is nothing", async () => {
      expect((await ask("registries", "direct", registry)).output).toBe("failed ECONNREFUSED");
    });

    test("registries: a step that fails after a refusal says so in its reason", async () => {
      const host = `127.0.0.1:${port(other)}`;
      const ended = await ask("registries", "tunnel", other, "; process.on('exit', () => { process.exitCode = 3; })");

      expect(ended.reason).toMatch(`exit code 3, after it was refused ${host}, which is no package registry`);
    });

    test("full: everything is reached, and that is said loudly", async () => {
      const { output, lines } = await ask("full", "direct", other);

      expect(output).toBe("200 a secret");
      expect(lines).toEqual([expect.stringContaining("NETWORK FULL")]);
    });

    test("the exit code of a step with a proxy is its own", async () => {
      const workspace = await mkdtemp(join(folder, "ws-"));
      const result = await runNetworkedStep({
        isolation: probe as Isolation,
        ...{ identity: workspace, workspace, network: "registries", timeoutMs: 20_000 },
        registries: { hosts: [], env: {} },
        toolchain: {
          mounts: [],
          env: {},
          path: "/opt/slipway/bin:/usr/bin:/bin",
          python: undefined,
          go: undefined,
          versions: "",
        },
        command: ["/bin/sh", "-c", "exit 7"],
        onOutput: () => undefined,
        onNetwork: () => undefined,
      });

      expect(result).toMatchObject({ outcome: "failed", exitCode: 7 });
    });
  });
}

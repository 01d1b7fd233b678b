import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../check/processes.mjs";

const read = (path) => readFileSync(join(root, path), "utf8");
const dockerfile = read("deploy/docker/Dockerfile");
/** One line per instruction. */
const instructions = dockerfile
  .replaceAll(/^#.*\n/gm, "")
  .replaceAll(/\\\n/g, " ")
  .split("\n")
  .filter((line) => line.trim() !== "")
  .map((line) => {
    const [, name, text] = /^([A-Z]+) +(.*)$/.exec(line.trim()) ?? [];
    return { name, text: text ?? "", line };
  });
const of = (name) => instructions.filter((instruction) => instruction.name === name).map(({ text }) => text);
const copies = of("COPY").map((text) => {
  const parts = text.split(/ +/);
  const from = parts[0].startsWith("--from=") ? parts.shift().slice("--from=".length) : undefined;
  return { from, sources: parts.slice(0, -1), to: parts.at(-1) };
});
const fromCheckout = copies.filter(({ from }) => from === undefined).flatMap(({ sources }) => sources);

/** What .dockerignore lets through: the last pattern that matches a path or a folder above it decides. Only the forms that stand there. */
function isSent(path) {
  let sent = true;
  for (const line of read(".dockerignore").split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const again = line.startsWith("!");
    const pattern = (again ? line.slice(1) : line)
      .replaceAll(/[.]/g, "\\.")
      .replaceAll("**/", "(?:.*/)?")
      .replaceAll("**", ".*")
      .replaceAll(/(?<![.)])\*/g, "[^/]*");
    if (new RegExp(`^${pattern}(?:/|$)`).test(path)) sent = again;
  }
  return sent;
}

test("the Dockerfile has only instructions that Docker knows, and ends as an ordinary user", () => {
  const known = "ARG FROM WORKDIR COPY RUN USER ENV VOLUME EXPOSE HEALTHCHECK STOPSIGNAL ENTRYPOINT".split(" ");
  expect(instructions.filter(({ name }) => !known.includes(name))).toEqual([]);
  expect(of("USER")).toEqual(["1000:1000", "node"]);
  // The last stage is what a build without --target makes.
  expect(of("ENTRYPOINT").map((json) => JSON.parse(json).at(-1))).toEqual(["slipway-service", "slipway-start"]);
});

test("every source of a COPY is a file of this checkout that .dockerignore lets through", () => {
  expect(fromCheckout.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  expect(fromCheckout.filter((path) => !isSent(path))).toEqual([]);
  for (const path of ["examples/order-service/test/unit/orders.test.mjs", "packages/oci/src/index.ts"])
    expect(isSent(path), path).toBe(true);
  for (const path of [
    "node_modules/x",
    "apps/cli/node_modules/x",
    "packages/oci/test/client.test.ts",
    ".git",
    ".slipway",
    "run.json",
  ])
    expect(isSent(path), path).toBe(false);
});

test("what a stage takes from another was put there, and what only building needs stays behind", () => {
  const stages = of("FROM").map((text) => / AS (\S+)$/.exec(text)?.[1]);
  for (const { from, sources } of copies.filter((copy) => copy.from !== undefined)) {
    expect(stages).toContain(from);
    const standalone = ["node_modules", "dist", "services"].map((name) => `/slipway/apps/standalone/${name}`);
    const made = ["/slipway/node_modules", ...standalone];
    for (const path of sources.filter((source) => !made.includes(source)))
      expect(existsSync(join(root, path.replace(/^\/slipway\//, ""))), path).toBe(true);
  }
});

test("versions are the pinned ones", () => {
  const { version } = JSON.parse(read("scripts/node/package.json"));
  const pnpm = /pnpmVersion = "([^"]+)"/.exec(read("scripts/bootstrap.mjs"))?.[1];
  expect(of("ARG")).toEqual([`NODE_IMAGE=node:${version}-bookworm-slim`]);
  const base = `\${NODE_IMAGE}`;
  expect(of("FROM")).toEqual([`${base} AS build`, `${base} AS runtime`, "runtime AS services", "runtime"]);
  expect(dockerfile.match(/pnpm@[\d.]+/g)).toEqual([`pnpm@${pnpm}`]);
});

test("the start script is what npm start runs, and is a script that sh takes", () => {
  for (const name of ["bin/slipway", "bin/slipway-start", "services-bin/slipway", "services-bin/slipway-service"]) {
    const path = join(root, "deploy/docker", name);
    expect(statSync(path).mode & 0o111).toBe(0o111);
    execFileSync("sh", ["-n", path]);
  }
  const start = read("deploy/docker/bin/slipway-start");
  const bootstrap = read("scripts/bootstrap.mjs");
  const flags = /flags: \[([^\]]*)\]/.exec(bootstrap)?.[1].replaceAll('"', "");
  expect(start).toContain(`exec node ${flags} /slipway/apps/standalone/dist/standalone.mjs`);
  for (const [, name, value] of bootstrap.matchAll(/(MALLOC_\w+): "(\d+)"/g))
    expect(start).toContain(`${name}=${value}`);
  const port = /firstPort = (\d+)/.exec(read("packages/host/src/listen-on.ts"))?.[1];
  expect([of("EXPOSE"), of("VOLUME")]).toEqual([[port], ["/data"]]);
});

test("a service is started from where the image has the bundle of services, which is where the build makes it", () => {
  const made = /bundle\.mjs --services (\S+)/.exec(dockerfile)?.[1];
  for (const [name, program] of [
    ["slipway", "slipway.mjs"],
    ["slipway-service", "service.mjs"],
  ])
    expect(read(`deploy/docker/services-bin/${name}`)).toContain(`exec node /slipway/${made}/${program} "$@"`);
  expect(copies.find(({ to }) => to === `/slipway/${made}`)).toMatchObject({ from: "build" });
});

test("what builds put into workspaces lies in the image beside the service's code", () => {
  const tools = [
    ...read("packages/pipeline/src/install-tools.ts").matchAll(/copyTree\(.*join\(into, "([a-z-]+)"\)\)/g),
  ];
  const copied = copies.flatMap(({ sources }) => sources).map((path) => path.replace(/^\/slipway\//, ""));
  expect(tools.map(([, name]) => name).sort()).toEqual(["advisories", "scan", "static-server"]);
  for (const [, name] of tools)
    expect(copied, name).toContainEqual(expect.stringMatching(new RegExp(`^services/build-service/(src/)?${name}$`)));
});

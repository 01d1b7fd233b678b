import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { ownerOf, platformServices } from "@slipway/client";
import * as contracts from "@slipway/contracts";
import { expect, test } from "vitest";
import { z } from "zod";
import { readConfig } from "../../src/index.ts";
import { servicesBundle } from "../apart/platform-apart.ts";
import { worksWith } from "./calls.ts";
import { knownVariables, read, readYaml, root, servicesOfTree } from "./tree.ts";

const folder = "deploy/compose";
const Mount = z.union([z.string(), z.object({ source: z.string(), target: z.string() })]);
const Compose = z.object({
  services: z.record(
    z.string(),
    z.looseObject({
      image: z.string(),
      command: z.union([z.string(), z.array(z.string())]).optional(),
      environment: z.record(z.string(), z.string()).default({}),
      volumes: z.array(z.string()).default([]),
      secrets: z.array(Mount).default([]),
      configs: z.array(z.object({ source: z.string(), target: z.string() })).default([]),
      networks: z.array(z.string()),
      read_only: z.boolean().optional(),
      cap_drop: z.array(z.string()).optional(),
      healthcheck: z.looseObject({}).optional(),
      depends_on: z.union([z.array(z.string()), z.record(z.string(), z.looseObject({}))]).default([]),
    }),
  ),
  networks: z.record(z.string(), z.looseObject({})),
  volumes: z.record(z.string(), z.looseObject({})),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
  configs: z.record(z.string(), z.object({ file: z.string() })),
});
const compose = Compose.parse(readYaml(`${folder}/docker-compose.yml`));
const all = Object.entries(compose.services);
const services = servicesOfTree();

/** A value as docker compose reads it, with these variables set. */
function interpolated(value: string, set: Readonly<Record<string, string>> = {}): string {
  return value.replace(/\$\{([A-Z_]+):([-+])([^}]*)\}/g, (_, name: string, sign: string, word: string) => {
    const own = set[name] ?? "";
    if (sign === "+") return own === "" ? "" : word;
    return own === "" ? word : own;
  });
}

test("the six services are there under their own names, with nothing of the image to write to and no capability", () => {
  for (const name of services.keys()) {
    expect(compose.services[name], name).toMatchObject({ command: [name], read_only: true, cap_drop: ["ALL"] });
    expect(compose.services[name]?.healthcheck, name).toBeDefined();
  }
});

test("the file at the top of the tree is this one, under the same name, and the guide starts that", () => {
  const Top = z.strictObject({ name: z.string(), include: z.array(z.string()) });
  const named = readYaml(`${folder}/docker-compose.yml`) as { readonly name: string };

  // The included file's own name and folder stand behind it: whoever starts either has the same containers, volumes and secrets.
  expect(Top.parse(readYaml("docker-compose.yml"))).toEqual({
    name: named.name,
    include: [`${folder}/docker-compose.yml`],
  });
  expect(read(`${folder}/README.md`)).toMatch(/^docker compose up -d --wait$/m);
});

test("every image has a version, and every variable is one that a service reads", () => {
  const known = knownVariables();
  for (const [name, { image, environment }] of all) {
    expect(image, name).toMatch(/:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$/);
    expect(
      Object.keys(environment).filter((variable) => variable.startsWith("SLIPWAY_") && !known.has(variable)),
      name,
    ).toEqual([]);
  }
});

test("whatever is named is there: secrets, volumes, networks, neighbours and files", () => {
  for (const [name, service] of all) {
    const secrets = service.secrets.map((secret) => (typeof secret === "string" ? secret : secret.source));
    expect(
      secrets.filter((secret) => compose.secrets[secret] === undefined),
      name,
    ).toEqual([]);
    expect(
      service.configs.filter(({ source }) => compose.configs[source] === undefined),
      name,
    ).toEqual([]);
    expect(
      service.networks.filter((network) => compose.networks[network] === undefined),
      name,
    ).toEqual([]);
    const after = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on);
    expect(
      after.filter((other) => compose.services[other] === undefined),
      name,
    ).toEqual([]);
    for (const volume of service.volumes) {
      const [source = ""] = volume.split(":");
      const made = source.startsWith("./secrets/");
      if (!source.startsWith(".")) expect(compose.volumes[source], volume).toBeDefined();
      else if (!made) expect(existsSync(resolve(root, folder, source)), volume).toBe(true);
    }
    for (const url of Object.values(service.environment).flatMap(
      (value) => value.match(/^http:\/\/[a-z-]+:7400$/) ?? [],
    ))
      expect(compose.services[new URL(url).hostname], url).toBeDefined();
  }
});

test("a service is given its own token and the password of its own role, and nobody else's", () => {
  for (const [name, { schema }] of services) {
    const given = (compose.services[name]?.secrets ?? []).flatMap((one) => (typeof one === "string" ? [] : [one]));
    const files = given.map(({ source, target }) => [target, compose.secrets[source]?.file]);
    const own = [
      [`/data/tokens/${name}`, `secrets/slipway/tokens/${name}`],
      [`/data/secrets/postgres/slipway_${schema}`, `secrets/slipway/secrets/postgres/slipway_${schema}`],
    ];
    const key = ["/data/secrets/values.key", "secrets/slipway/secrets/values.key"];
    expect(files, name).toEqual(["build", "deployment"].includes(schema) ? [...own, key] : own);
  }
});

/** What make-secrets.sh makes, in a folder of its own. */
async function withSecrets(work: (copy: string, make: () => Promise<unknown>) => Promise<void>): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), "slipway-compose-"));
  try {
    cpSync(join(root, folder, "make-secrets.sh"), join(copy, "make-secrets.sh"));
    const env = { ...process.env, SLIPWAY_SERVICE: `${process.execPath} ${await servicesBundle()}` };
    const make = () => promisify(execFile)("sh", [join(copy, "make-secrets.sh")], { env });
    await make();
    await work(copy, make);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

test("make-secrets.sh makes every secret that is mounted, keeps what is there, and no two are the same", () =>
  withSecrets(async (copy, make) => {
    const files = Object.values(compose.secrets).map(({ file }) => file);
    const texts = () =>
      files.map((file) => promisify(execFile)("cat", [join(copy, file)]).then(({ stdout }) => stdout));
    const first = await Promise.all(texts());

    expect(first.every((text) => text.trim().length >= 20)).toBe(true);
    expect(new Set(first).size).toBe(first.length);
    expect(statSync(join(copy, "secrets")).mode & 0o777).toBe(0o700);
    await make();
    expect(await Promise.all(texts())).toEqual(first);
  }));

test("what a service is given as its environment is what it reads: adapters, regions and the files of secrets", () =>
  withSecrets(async (copy) => {
    const secret = (name: string) => join(copy, compose.secrets[name]?.file ?? "nowhere");
    const asInside = (value: string) =>
      value
        .replace(/^\/run\/secrets\/(.+)$/, (_, name: string) => secret(name))
        .replace("/etc/slipway/regions/regions.yaml", join(root, folder, "regions/regions.example.yaml"));
    const configOf = (name: string) => {
      const entries = Object.entries(compose.services[name]?.environment ?? {});
      return readConfig(
        Object.fromEntries(entries.map(([variable, value]) => [variable, asInside(interpolated(value))])),
      );
    };

    for (const name of services.keys()) {
      const { databaseUrl, busUrl, lockUrl, cache, objectsUrl, regions, prepared, publicUrl } = configOf(name);
      const [locks, objects, inRegions] = ["lock", "objects", "regions"].map((what) => worksWith(name).has(what));
      expect([name, databaseUrl, busUrl, prepared, publicUrl]).toEqual([
        ...[name, "postgres://postgres:5432/slipway", "kafka://kafka:9092", true, "http://localhost:7400"],
      ]);
      expect([name, lockUrl]).toEqual([
        name,
        locks ? expect.stringMatching(/^redis:\/\/:.{30,}@redis:6379$/) : "postgres:",
      ]);
      // Several orchestrators keep their views in one place.
      expect([name, cache.url]).toEqual([name, locks ? lockUrl : "none:"]);
      expect([name, objectsUrl]).toEqual([name, objects ? expect.stringMatching(/^s3:\/\/slipway\?/) : "file:"]);
      expect([name, regions.kind]).toEqual([name, inRegions ? "file" : "local"]);
    }
    expect(configOf("prepare")).toMatchObject({
      databaseUrl: expect.stringMatching(/^postgres:\/\/slipway_admin:.{30,}@postgres:5432\/slipway$/),
    });
  }));

test("a service is given what it works with and no more: Redis, S3's credentials, regions, a way out", () => {
  for (const name of services.keys()) {
    const { secrets = [], volumes = [], networks = [] } = compose.services[name] ?? {};
    const given = {
      lock: secrets.includes("lock-url"),
      objects: secrets.includes("s3-credentials"),
      regions: volumes.some((volume) => volume.startsWith("./regions:")),
    };
    for (const [what, has] of Object.entries(given))
      expect([name, what, has]).toEqual([name, what, worksWith(name).has(what)]);
    const elsewhere = ["regions", "foreignRegistries", "slack", "builds"].some((what) => worksWith(name).has(what));
    expect([name, networks.includes("outside")]).toEqual([name, elsewhere]);
  }
});

test("each process trusts the authorities in the file that NODE_EXTRA_CA_CERTS names, and reads none where it names none", async () => {
  const [, ...rest] = Object.entries(compose.configs);
  const file = compose.configs.authorities?.file ?? "";
  expect(rest).toEqual([]);
  expect(interpolated(file, { NODE_EXTRA_CA_CERTS: "/etc/ssl/corp.pem" })).toBe("/etc/ssl/corp.pem");
  // What is mounted in its place has to be there: Docker would make a folder of that name.
  expect(statSync(resolve(root, folder, interpolated(file))).isFile()).toBe(true);

  const own = all.filter(([, { image }]) => image.startsWith("slipway-"));
  expect(own.map(([name]) => name).sort()).toEqual([...services.keys(), "prepare"].sort());
  for (const [name, { configs, environment }] of own) {
    const [mounted] = configs;
    const value = environment.NODE_EXTRA_CA_CERTS ?? "none";
    expect([name, configs.length, mounted?.source]).toEqual([name, 1, "authorities"]);
    expect([name, interpolated(value, { NODE_EXTRA_CA_CERTS: "/x.pem" })]).toEqual([name, mounted?.target]);
    expect([name, interpolated(value)]).toEqual([name, ""]);
  }
  const say = "console.log(require('node:tls').getCACertificates('extra').length)";
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: "" };
  expect(await promisify(execFile)(process.execPath, ["-e", say], { env })).toEqual({ stdout: "0\n", stderr: "" });
});

test("nothing that is a secret stands in the files of this folder", () => {
  const text = `${read(`${folder}/docker-compose.yml`)}${read(`${folder}/nginx.conf`)}`;
  expect(text).not.toMatch(/slp_[0-9a-z]{12}/);
  expect(text.match(/(?<=PASSWORD|SECRET_KEY|_TOKEN)[A-Z_]*: *[^/\s{][^\s,}]*/g)).toBeNull();
});

test("the gateway sends each path of the API to the service that owns it", () => {
  const map = [...read(`${folder}/nginx.conf`).matchAll(/^ {4}"~(\^[^"]+)" ([a-z-]+);$/gm)].map(
    ([, pattern = "", service = ""]) => ({ pattern: new RegExp(pattern), service }),
  );
  const paths = Object.values(contracts).flatMap((value) =>
    typeof value === "object" && value !== null && "path" in value && typeof value.path === "string"
      ? [value.path]
      : [],
  );
  const leads = (path: string) => map.find(({ pattern }) => pattern.test(path))?.service;

  expect(paths.length).toBeGreaterThan(30);
  const audits = platformServices.map((service) => contracts.verifyAuditOf(service).path);
  for (const path of [...paths, ...audits, "/v2", "/v2/", "/v2/shop/manifests/x", "/webhooks/github", "/inbox"])
    expect([path, leads(path)]).toEqual([path, ownerOf(path)]);
  expect(paths.filter((path) => ownerOf(path) === undefined)).toEqual([]);
  expect(leads("/livez")).toBeUndefined();
  expect(leads("/api/v1/deploymentsx")).toBeUndefined();
});

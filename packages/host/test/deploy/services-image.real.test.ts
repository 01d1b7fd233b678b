import { chown, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  freePort,
  type ImageRunning,
  inContainers,
  type RealRegistry,
  realPart,
  runImage,
  startForeignRegistry,
  type TestDatabase,
  testDatabase,
  until,
  writeServicesImage,
} from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { servicesBundle, takeOverPasswords } from "../apart/platform-apart.ts";
import { readYaml, root, servicesOfTree } from "./tree.ts";

const part = realPart("registry");
const Mount = z.union([z.string(), z.object({ source: z.string(), target: z.string() })]);
const { services, secrets } = z
  .object({
    services: z.record(
      z.string(),
      z.looseObject({
        command: z.union([z.string(), z.array(z.string())]).default([]),
        environment: z.record(z.string(), z.string()).default({}),
        ...{ read_only: z.boolean().default(false), cap_drop: z.array(z.string()).default([]) },
        ...{ security_opt: z.array(z.string()).default([]), tmpfs: z.array(z.string()).default([]) },
        ...{ volumes: z.array(z.string()).default([]), secrets: z.array(Mount).default([]) },
      }),
    ),
    secrets: z.record(z.string(), z.object({ file: z.string() })),
  })
  .parse(readYaml("deploy/compose/docker-compose.yml"));
const names = [...servicesOfTree().keys()];
/** The image's own user; root gives it the folders that it is to write. */
const imageUser = 1000;
const asRoot = process.getuid?.() === 0;

describe.skipIf(!inContainers() || part === undefined)(
  "the image of the services, run as the compose file runs it",
  () => {
    let registry: RealRegistry;
    let database: TestDatabase;
    let image: string;
    /** In the place of deploy/compose. */
    let folder: string;
    const running: ImageRunning[] = [];

    beforeAll(async () => {
      registry = await startForeignRegistry(part!, { open: true });
      database = await testDatabase([]);
      folder = await mkdtemp(join(tmpdir(), "slipway-image-"));
      const bundle = dirname(await servicesBundle());
      image = await writeServicesImage({ checkout: root, bundle, registry: registry.url });
    });

    afterAll(async () => {
      for (const one of running) await one.remove();
      await registry?.stop();
      await database?.close();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    /** A folder of this machine that the image's user may write. */
    async function ownFolder(path: string): Promise<string> {
      await mkdir(path, { recursive: true, mode: 0o700 });
      if (asRoot) await chown(path, imageUser, imageUser);
      return path;
    }

    /** As that entry of the compose file, but for the places of its backends and neighbours, which are those of this machine. */
    async function start(
      name: string,
      args: readonly string[],
      env: Readonly<Record<string, string>>,
      volumes: string[],
    ) {
      const { read_only, cap_drop, security_opt, tmpfs } = services[name]!;
      const one = await runImage({
        ...{ image, args, env, readOnly: read_only, capDrop: cap_drop, securityOpt: security_opt },
        ...{
          tmpfs: tmpfs.filter((line) => !volumes.some((volume) => volume.split(":")[1] === line.split(":")[0])),
          volumes,
        },
        ...(asRoot ? {} : { user: `${process.getuid?.()}:${process.getgid?.()}` }),
      });
      running.push(one);
      return one;
    }

    test("it makes the credentials, for which it needs a folder to write and nothing else", async () => {
      const credentials = await ownFolder(join(folder, "secrets/slipway"));

      const made = await start("prepare", ["credentials"], {}, [`${credentials}:/data`]);

      expect([await made.ended, await made.words()]).toEqual([0, expect.any(String)]);
      const token = await stat(join(credentials, "tokens/admin"));
      expect([token.uid, token.mode & 0o777]).toEqual([asRoot ? imageUser : process.getuid?.(), 0o600]);
    });

    test("it prepares an empty database with those, which it may not write", async () => {
      const credentials = join(folder, "secrets/slipway");
      await takeOverPasswords(database, credentials);
      const url = join(folder, "secrets/admin-database-url");
      await writeFile(url, database.adminUrl);
      const { environment } = services.prepare!;

      const prepared = await start("prepare", ["prepare"], { ...environment, NODE_EXTRA_CA_CERTS: "" }, [
        `${credentials}:/data:ro`,
        `${url}:/run/secrets/admin-database-url:ro`,
      ]);

      expect([await prepared.ended, await prepared.words()]).toEqual([0, expect.any(String)]);
    });

    test.each(names)(
      "%s gets ready with its own secrets, writes nothing of the image, and ends in order",
      async (name) => {
        const entry = services[name]!;
        const port = await freePort();
        const place = new URL(database.adminUrl);
        const given = entry.secrets.flatMap((secret) => (typeof secret === "string" ? [] : [secret]));
        const volumes = given.map(({ source, target }) => `${join(folder, secrets[source]?.file ?? "")}:${target}:ro`);
        if (entry.volumes.some((volume) => volume.endsWith(":/data")))
          volumes.unshift(`${await ownFolder(join(folder, name))}:/data`);

        const started = await start(
          name,
          [entry.command].flat(),
          {
            ...{ SLIPWAY_PREPARED: entry.environment.SLIPWAY_PREPARED ?? "", SLIPWAY_HOST: "127.0.0.1" },
            ...{ SLIPWAY_PORT: String(port), SLIPWAY_URL: `http://127.0.0.1:${port}` },
            SLIPWAY_DATABASE_URL: `postgres://${place.host}${place.pathname}`,
          },
          volumes,
        );
        const over = started.ended.then(async () => {
          throw new Error(`${name} has ended: ${await started.words()}`);
        });
        over.catch(() => undefined);
        const ready = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200;
        await Promise.race([over, until(ready, { what: `${name} is ready`, timeoutMs: 60_000 })]);

        expect([await started.stop(), await started.words()]).toEqual([0, expect.any(String)]);
      },
    );
  },
);

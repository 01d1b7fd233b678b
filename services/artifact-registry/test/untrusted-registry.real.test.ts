import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { promisify } from "node:util";
import { digestOf, foreignRegistries, RegistriesFile, RegistryClient } from "@slipway/oci";
import {
  makeCertificates,
  type RealRegistry,
  realPart,
  startForeignRegistry,
  type TestCertificates,
} from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { artifactOf, ask, dockerImage, dockerManifestType, ended, revision } from "./foreign-images.ts";
import { startRegistry, type TestRegistry } from "./start-registry.ts";

const part = realPart("registry");
const trusted = getCACertificates("default");

let folder: string;
let certificates: TestCertificates;
let foreign: RealRegistry;
let ours: TestRegistry;
let hosts: RegistriesFile["hosts"];

beforeAll(async () => {
  if (part === undefined) return;
  folder = await mkdtemp(join(tmpdir(), "slipway-private-ca-"));
  certificates = await makeCertificates(folder);
  foreign = await startForeignRegistry(part, { tls: certificates });
  hosts = RegistriesFile.parse({ hosts: { [`127.0.0.1:${foreign.port}`]: { private: true } } }).hosts;
  const file = join(folder, "registries.json");
  await writeFile(file, JSON.stringify({ hosts }));
  ours = await startRegistry({ SLIPWAY_EXTERNAL_REGISTRIES: file, SLIPWAY_EXTERNAL_DEADLINE: "60s" });
});
afterEach(() => setDefaultCACertificates(trusted));
afterAll(async () => {
  await ours?.close();
  await foreign?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

const trust = () => setDefaultCACertificates([...trusted, certificates.ca]);
const problems = () => foreignRegistries({ public: true, hosts }, false).problems();
const untrusted = () =>
  `certificate of 127.0.0.1:${foreign.port} is not trusted: give its authority to the process that asks (NODE_EXTRA_CA_CERTS)`;

/** An image that lies there, by the name under which it is asked for. */
async function imageThere(): Promise<string> {
  trust();
  const image = dockerImage();
  const into = new RegistryClient({ url: foreign.url, auth: foreign.auth });
  for (const { bytes } of image.blobs) {
    const open = async function* (from: number) {
      yield bytes.subarray(from);
    };
    await into.pushBlob("team/shop", { digest: digestOf(bytes), size: bytes.length, open });
  }
  const manifest = { digest: digestOf(Buffer.from(image.text)), bytes: Buffer.from(image.text) };
  await into.putManifest("team/shop", "1", { mediaType: dockerManifestType, ...manifest });
  await into.close();
  setDefaultCACertificates(trusted);
  return `127.0.0.1:${foreign.port}/team/shop@${image.digest}`;
}

describe.skipIf(part === undefined)("a registry of somebody else under an authority of their own", () => {
  test("is not copied from while nobody trusts it: the import ends at once, and says what to do", async () => {
    const image = await imageThere();
    const begun = performance.now();

    const end = await ended(ours, await ask(ours, { image, git_sha: revision, credentials: foreign.auth, spec: {} }));

    expect(end).toMatchObject({
      status: "FAILED",
      reason: `The ${untrusted()}. It is the artifact-registry that asks.`,
    });
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect(await problems()).toEqual([`the ${untrusted()}, or correct its URL in SLIPWAY_EXTERNAL_REGISTRIES`]);
  });

  test("is copied from once its authority is trusted", async () => {
    const image = await imageThere();
    trust();

    const end = await ended(ours, await ask(ours, { image, git_sha: revision, credentials: foreign.auth, spec: {} }));

    expect(await artifactOf(ours, end)).toMatchObject({ service: "shop", provenance: { source: image } });
    expect(await problems()).toEqual([]);
  });

  test("is trusted by a process that NODE_EXTRA_CA_CERTS gives the authority", async () => {
    const program = `import { registryProblem } from "@slipway/oci";
      const [host, url] = process.argv.slice(1);
      console.log(String(await registryProblem(host, { url }, "SLIPWAY_IMAGE_REGISTRIES")));`;
    const args = ["--conditions=@slipway/source", "--input-type=module", "--eval", program];
    const said = async (env: Record<string, string>) => {
      const cwd = join(import.meta.dirname, "..");
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [...args, `127.0.0.1:${foreign.port}`, foreign.url],
        {
          ...{ cwd, env: { PATH: process.env.PATH ?? "", ...env } },
        },
      );
      return stdout.trim();
    };

    expect(await said({})).toBe(`the ${untrusted()}, or correct its URL in SLIPWAY_IMAGE_REGISTRIES`);
    expect(await said({ NODE_EXTRA_CA_CERTS: certificates.caFile })).toBe("undefined");
  });
});

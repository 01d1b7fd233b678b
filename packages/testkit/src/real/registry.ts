import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RegistryAuth } from "@slipway/oci";
import type { TestCertificates } from "./certificates.ts";
import type { RealPart } from "./part.ts";
import { type RegistryTokens, startRegistryTokens } from "./registry-tokens.ts";
import { type RealServer, startRealServer } from "./server.ts";

export type RealRegistry = RealServer & {
  readonly url: string;
  /** Who may read and write. */
  readonly auth: RegistryAuth;
};

const user = { username: "tester", password: "not-a-secret" };
/** That password by bcrypt, which is all the registry takes. */
const htpasswd = "tester:$2y$05$abcdefghijklmnopqrstuuVPNOToLP9MHdthRCXkVoiIF0qNKnk2G\n";

/**
 * A registry over a folder. `bearer`: it sends its clients to a token server for each repository, else it takes the password itself; `open`: it wants none. `tls`: it
 * speaks TLS with that certificate.
 */
export async function startForeignRegistry(
  part: RealPart,
  {
    bearer = false,
    open = false,
    tls,
  }: { readonly bearer?: boolean; readonly open?: boolean; readonly tls?: TestCertificates } = {},
): Promise<RealRegistry> {
  const tokens = bearer ? await startRegistryTokens(user) : undefined;
  const server = await startRealServer(part, {
    args: ({ dir }) => ["serve", join(dir, "config.yml")],
    env: { OTEL_TRACES_EXPORTER: "none" },
    prepare: async (dir, port) => {
      await writeFile(join(dir, "htpasswd"), htpasswd);
      await writeFile(join(dir, "config.yml"), JSON.stringify(configOf({ dir, port, tokens, tls, open })));
    },
    // Where it speaks TLS it refuses whoever does not.
    answers: async (port) =>
      (await fetch(`http://127.0.0.1:${port}/v2/`)).status === (tls !== undefined ? 400 : open ? 200 : 401),
  });
  return {
    ...server,
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${server.port}`,
    auth: user,
    async stop() {
      await server.stop();
      await tokens?.stop();
    },
  };
}

type Configured = {
  readonly dir: string;
  readonly port: number;
  readonly tokens: RegistryTokens | undefined;
  readonly tls: TestCertificates | undefined;
  readonly open: boolean;
};

/** JSON is YAML, too. */
function configOf({ dir, port, tokens, tls, open }: Configured): object {
  const password = { htpasswd: { realm: "registry", path: join(dir, "htpasswd") } };
  return {
    version: "0.1",
    storage: { filesystem: { rootdirectory: join(dir, "data") }, delete: { enabled: true } },
    http: {
      ...{ addr: `127.0.0.1:${port}`, secret: "one for all of a run" },
      ...(tls && { tls: { certificate: tls.certFile, key: tls.keyFile } }),
    },
    ...(open ? {} : { auth: tokens === undefined ? password : { token: tokens.config } }),
    log: { level: "error", accesslog: { disabled: true } },
  };
}

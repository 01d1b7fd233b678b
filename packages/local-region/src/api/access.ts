import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { stringify } from "yaml";
import { writeWhole } from "./write-whole.ts";

/** The token of the region's administrator, made once. Never logged. */
export async function adminToken(dir: string): Promise<string> {
  const path = join(dir, "admin-token");
  const known = await readFile(path, "utf8").catch(() => "");
  if (/^[A-Za-z0-9_-]{43}$/.test(known)) return known;
  const token = randomBytes(32).toString("base64url");
  await writeWhole(path, token);
  return token;
}

/** Whether a request carries the token. Everybody who does may do everything. */
export function tokenCheck(token: string): (request: IncomingMessage) => boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const expected = digest(token);
  return ({ headers }) => {
    const [, given] = /^Bearer (\S+)$/i.exec(headers.authorization ?? "") ?? [];
    return given !== undefined && timingSafeEqual(digest(given), expected);
  };
}

type Access = {
  readonly name: string;
  readonly url: string;
  readonly caPem: string;
  readonly token: string;
};

/** Writes what kubectl and every other client needs to reach the region. */
export async function writeKubeconfig(path: string, { name, url, caPem, token }: Access): Promise<void> {
  const text = stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    preferences: {},
    clusters: [{ name, cluster: { server: url, "certificate-authority-data": Buffer.from(caPem).toString("base64") } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: "prod" } }],
  });
  if ((await readFile(path, "utf8").catch(() => "")) !== text) await writeWhole(path, text);
}

import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, mkdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Pair } from "./make-certificates.ts";
import { writeWhole } from "./write-whole.ts";

export type ServerIdentity = { readonly caPem: string; readonly certPem: string; readonly keyPem: string };

const dayMs = 86_400_000;
const renewBeforeMs = 30 * dayMs;
/** An authority that ends sooner could not sign a server's certificate for the whole of its time. */
const authorityLastsMs = 365 * dayMs;

/**
 * The region's own authority and its server certificate. The authority stays, so that kubeconfigs that were copied go on
 * working; the certificate is made anew when it ends soon or does not name the host.
 */
export async function serverIdentity(dir: string, host: string, now: Date): Promise<ServerIdentity> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const authority = (await readAuthority(dir, now)) ?? (await madeAuthority(dir, now));
  const known = await readPair(dir, "server");
  if (known !== undefined && isGood(known.certPem, authority.certPem, host, now)) {
    return { caPem: authority.certPem, ...known };
  }
  const { makeServer } = await making();
  const server = await makeServer(authority, host, now);
  await writePair(dir, "server", server);
  return { caPem: authority.certPem, ...server };
}

/** Loaded only where something has to be made: what makes certificates is the largest part of a region's code, and needed once a year. */
const making = () => import("./make-certificates.ts");

async function madeAuthority(dir: string, now: Date): Promise<Pair> {
  const authority = await (await making()).makeAuthority(now);
  await writePair(dir, "ca", authority);
  return authority;
}

async function readPair(dir: string, name: string): Promise<Pair | undefined> {
  try {
    const [certPem, keyPem] = await Promise.all([
      readFile(join(dir, `${name}.crt`), "utf8"),
      readFile(join(dir, `${name}.key`), "utf8"),
    ]);
    // A crash between writing the two leaves a pair that does not fit.
    const fits = new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem));
    return fits ? { certPem, keyPem } : undefined;
  } catch {
    return undefined;
  }
}

async function writePair(dir: string, name: string, { certPem, keyPem }: Pair): Promise<void> {
  await writeWhole(join(dir, `${name}.key`), keyPem);
  await writeWhole(join(dir, `${name}.crt`), certPem);
}

async function readAuthority(dir: string, now: Date): Promise<Pair | undefined> {
  const pair = await readPair(dir, "ca");
  if (pair === undefined) return undefined;
  const lasts = Date.parse(new X509Certificate(pair.certPem).validTo) - now.getTime();
  return lasts > authorityLastsMs ? pair : undefined;
}

function isGood(certPem: string, caPem: string, host: string, now: Date): boolean {
  const certificate = new X509Certificate(certPem);
  const named = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  const lasts = Date.parse(certificate.validTo) - now.getTime();
  return named !== undefined && lasts > renewBeforeMs && certificate.verify(new X509Certificate(caPem).publicKey);
}

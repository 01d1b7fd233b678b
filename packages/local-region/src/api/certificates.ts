import "reflect-metadata";
import { createPrivateKey, X509Certificate as NodeCertificate, webcrypto } from "node:crypto";
import { chmod, mkdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { writeWhole } from "./write-whole.ts";

export type ServerIdentity = { readonly caPem: string; readonly certPem: string; readonly keyPem: string };

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMs = 86_400_000;
const caDays = 3_650;
const serverDays = 365;
const renewBeforeMs = 30 * dayMs;

/**
 * The region's own authority and its server certificate. The authority stays, so that kubeconfigs that were copied go on
 * working; the certificate is made anew when it ends soon or does not name the host.
 */
export async function serverIdentity(dir: string, host: string, now: Date): Promise<ServerIdentity> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const authority = (await readAuthority(dir, now)) ?? (await makeAuthority(dir, now));
  const known = await readPair(dir, "server");
  if (known !== undefined && isGood(known.certPem, authority.certPem, host, now)) {
    return { caPem: authority.certPem, ...known };
  }
  return { caPem: authority.certPem, ...(await makeServer(dir, authority, host, now)) };
}

type Pair = { readonly certPem: string; readonly keyPem: string };

async function readPair(dir: string, name: string): Promise<Pair | undefined> {
  try {
    const [certPem, keyPem] = await Promise.all([
      readFile(join(dir, `${name}.crt`), "utf8"),
      readFile(join(dir, `${name}.key`), "utf8"),
    ]);
    // A crash between writing the two leaves a pair that does not fit.
    const fits = new NodeCertificate(certPem).checkPrivateKey(createPrivateKey(keyPem));
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
  const lasts = Date.parse(new NodeCertificate(pair.certPem).validTo) - now.getTime();
  return lasts > serverDays * dayMs ? pair : undefined;
}

async function makeAuthority(dir: string, now: Date): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: "CN=Slipway local region",
      notBefore: new Date(now.getTime() - dayMs),
      notAfter: new Date(now.getTime() + caDays * dayMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto,
  );
  const pair = { certPem: certificate.toString("pem"), keyPem: await pemOf(keys.privateKey) };
  await writePair(dir, "ca", pair);
  return pair;
}

async function makeServer(dir: string, authority: Pair, host: string, now: Date): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const issuer = new x509.X509Certificate(authority.certPem);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject: "CN=kube-apiserver",
      issuer: issuer.subject,
      notBefore: new Date(now.getTime() - dayMs),
      notAfter: new Date(now.getTime() + serverDays * dayMs),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: await importKey(authority.keyPem),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(alternativeNames(host)),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ],
    },
    webcrypto,
  );
  const pair = { certPem: certificate.toString("pem"), keyPem: await pemOf(keys.privateKey) };
  await writePair(dir, "server", pair);
  return pair;
}

function alternativeNames(host: string): { type: "ip" | "dns"; value: string }[] {
  const names = new Set(["127.0.0.1", "::1", "localhost", "kubernetes", host]);
  return [...names].map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }));
}

function isGood(certPem: string, caPem: string, host: string, now: Date): boolean {
  const certificate = new NodeCertificate(certPem);
  const named = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  const lasts = Date.parse(certificate.validTo) - now.getTime();
  return named !== undefined && lasts > renewBeforeMs && certificate.verify(new NodeCertificate(caPem).publicKey);
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(pem);
  if (der === undefined) throw new Error("the key of the region's authority cannot be read");
  return webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}

import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";

/** Both in PEM. */
export type Pair = { readonly certPem: string; readonly keyPem: string };

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMs = 86_400_000;
const caDays = 3_650;
const serverDays = 365;

/** A region's own authority, for ten years. */
export async function makeAuthority(now: Date): Promise<Pair> {
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
  return { certPem: certificate.toString("pem"), keyPem: await pemOf(keys.privateKey) };
}

/** A server's certificate for this host and for loopback, for a year. */
export async function makeServer(authority: Pair, host: string, now: Date): Promise<Pair> {
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
  return { certPem: certificate.toString("pem"), keyPem: await pemOf(keys.privateKey) };
}

function alternativeNames(host: string): { type: "ip" | "dns"; value: string }[] {
  const names = new Set(["127.0.0.1", "::1", "localhost", "kubernetes", host]);
  return [...names].map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }));
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(pem);
  if (der === undefined) throw new Error("the key of the region's authority cannot be read");
  return webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}

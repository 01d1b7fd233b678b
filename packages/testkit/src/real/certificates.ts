import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** A server's certificate for the loopback, by an authority that nobody trusts before a test says so. Files of PEM. */
export type TestCertificates = {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Key and certificate in one file. */
  readonly bothFile: string;
  /** The authority's own certificate. */
  readonly ca: string;
};

const run = promisify(execFile);

/** Made by openssl in that folder, for a day. `names`: whose the server's is; `days`: how long that one lasts, from now, below 0 where it has ended. */
export async function makeCertificates(
  folder: string,
  { names = "IP:127.0.0.1,DNS:localhost", days = 1 } = {},
): Promise<TestCertificates> {
  const at = (name: string) => join(folder, name);
  const key = ["-newkey", "rsa:2048", "-nodes", "-days", "1"];
  const caOf = ["-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", "/CN=slipway test authority"];
  await run("openssl", ["req", "-x509", ...key, ...caOf]);
  await run("openssl", ["req", ...key, "-keyout", at("key.pem"), "-out", at("request.pem"), "-subj", "/CN=localhost"]);
  await writeFile(at("names"), `subjectAltName=${names}\n`);
  const signing = [
    "-CA",
    at("ca.pem"),
    "-CAkey",
    at("ca.key"),
    "-CAcreateserial",
    "-days",
    String(days),
    "-extfile",
    at("names"),
  ];
  await run("openssl", ["x509", "-req", "-in", at("request.pem"), "-out", at("cert.pem"), ...signing]);
  const [keyText, certText, ca] = await Promise.all(
    ["key.pem", "cert.pem", "ca.pem"].map((name) => readFile(at(name), "utf8")),
  );
  await writeFile(at("both.pem"), `${keyText}${certText}`);
  return {
    ...{ caFile: at("ca.pem"), certFile: at("cert.pem"), keyFile: at("key.pem"), bothFile: at("both.pem") },
    ca: ca ?? "",
  };
}

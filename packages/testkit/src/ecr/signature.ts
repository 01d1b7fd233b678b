import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

export type AwsKey = { readonly accessKeyId: string; readonly secretAccessKey: string };

/** An error as AWS answers it, by the name that its clients know. */
export type AwsRefusal = { readonly name: string; readonly message: string };

const skewMs = 5 * 60_000;

/**
 * Whether a request is signed by that key (AWS Signature Version 4, computed here once more from what arrived); else what AWS says to it. A
 * session token is not known, as that of a role would be.
 */
export function signatureRefusal(request: IncomingMessage, body: Buffer, key: AwsKey): AwsRefusal | undefined {
  const { headers } = request;
  const credential =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
  const [, id, scope = "", names = "", signature = ""] = credential.exec(headers.authorization ?? "") ?? [];
  if (id === undefined) return { name: "MissingAuthenticationTokenException", message: "Missing Authentication Token" };
  if (id !== key.accessKeyId) {
    return { name: "UnrecognizedClientException", message: "The security token included in the request is invalid." };
  }
  const date = String(headers["x-amz-date"] ?? "");
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  if (Math.abs(Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`) - Date.now()) > skewMs) {
    return { name: "InvalidSignatureException", message: `Signature expired: ${date}` };
  }
  const wanted = signatureOf(request, body, { scope, names: names.split(";"), date }, key);
  if (timingSafeEqual(Buffer.from(wanted), Buffer.from(signature))) return undefined;
  return { name: "InvalidSignatureException", message: "The request signature we calculated does not match." };
}

function signatureOf(
  { method = "", url = "", headers }: IncomingMessage,
  body: Buffer,
  { scope, names, date }: { readonly scope: string; readonly names: readonly string[]; readonly date: string },
  { secretAccessKey }: AwsKey,
): string {
  const { pathname, search } = new URL(url, "http://aws");
  const lines = names.map((name) => `${name}:${String(headers[name] ?? "").trim()}\n`).join("");
  const canonical = [method, pathname, search.slice(1), lines, names.join(";"), hash(body)].join("\n");
  const text = ["AWS4-HMAC-SHA256", date, scope, hash(canonical)].join("\n");
  const key = scope.split("/").reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${secretAccessKey}`);
  return hmac(key, text).toString("hex");
}

const hash = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();

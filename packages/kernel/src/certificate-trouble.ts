import { errorCodes } from "./error-codes.ts";

type Words = {
  /** As a person names it: `the certificate of HOST`. */
  readonly certificate: string;
  /** What to do where the server is called by another name than its own: `name it in VARIABLE as its certificate does`. */
  readonly rename: string;
  /** What to do where nobody knows its authority. Default: NODE_EXTRA_CA_CERTS, which every client but those with an authority of their own reads. */
  readonly trust?: string;
};

/** What keeps a server's certificate from being believed, and what to do about it; undefined: the failure is not about one. */
export function certificateTrouble(
  error: unknown,
  { certificate, rename, trust = "give its authority to the process that asks (NODE_EXTRA_CA_CERTS)" }: Words,
): string | undefined {
  const codes = errorCodes(error);
  if (/CERT_HAS_EXPIRED/.test(codes))
    return `${certificate} has expired: renew it there, or correct this machine's clock`;
  if (/CERT_NOT_YET_VALID/.test(codes)) return `${certificate} is not valid yet: correct this machine's clock`;
  if (/ERR_TLS_CERT_ALTNAME_INVALID/.test(codes))
    return `${certificate} is of another name${namesIn(error)}: ${rename}`;
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(codes)) return `${certificate} is not trusted: ${trust}`;
  return undefined;
}

/** The names that it is of. They come from a stranger, so that anything but names is left out. */
function namesIn(error: unknown): string {
  for (let one = error; one instanceof Error; one = one.cause) {
    const names = "cert" in one ? Object(one.cert).subjectaltname : undefined;
    if (typeof names === "string" && /^[\w.*:, -]{1,200}$/.test(names)) return ` (${names})`;
  }
  return "";
}

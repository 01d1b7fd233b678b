import { errorCodes } from "@slipway/kernel";

/** What keeps a registry's certificate from being believed, and what to do about it; undefined: the failure is not about one. `host`: who was asked. */
export function certificateTrouble(host: string, error: unknown): string | undefined {
  const codes = errorCodes(error);
  const of = `the certificate of ${host}`;
  if (/CERT_HAS_EXPIRED/.test(codes)) return `${of} has expired: renew it there, or correct this machine's clock`;
  if (/CERT_NOT_YET_VALID/.test(codes)) return `${of} is not valid yet: correct this machine's clock`;
  if (/ERR_TLS_CERT_ALTNAME_INVALID/.test(codes))
    return `${of} is of another name${namesIn(error)}: name the registry as its certificate does, or give it one for ${host}`;
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(codes))
    return `${of} is not trusted: give its authority to the process that asks (NODE_EXTRA_CA_CERTS)`;
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

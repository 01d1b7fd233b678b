import { certificateTrouble, errorCodes } from "@slipway/kernel";

/** Why a source could not be asked, as a sentence that says what to do. `what`: the source as a person names it, never with a password. */
export function unreachable(what: string, error: unknown): string {
  const codes = errorCodes(error);
  if (/ENOTFOUND|EAI_AGAIN/.test(codes)) return `the host of ${what} is not known: correct metrics_url`;
  const untrusted = certificateTrouble(error, {
    certificate: `the certificate of ${what}`,
    rename: "name it in metrics_url as its certificate does, or give it one for that name",
    trust: "give its authority to this process (NODE_EXTRA_CA_CERTS), or correct metrics_url",
  });
  if (untrusted !== undefined) return untrusted;
  if (/EPROTO|ERR_SSL|ERR_TLS|HPE_/.test(codes))
    return `${what} does not speak as metrics_url says: correct http:// or https:// there`;
  if (/UND_ERR_SOCKET|ECONNRESET|EPIPE/.test(codes))
    return `${what} broke the connection off: it is asked again; where that lasts see what is between, or correct http:// or https:// in metrics_url`;
  return `${what} does not answer: start it, or correct metrics_url`;
}

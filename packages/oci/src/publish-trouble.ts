import type { OciError } from "./errors.ts";
import { externalRegistries } from "./registries-file.ts";

/** Whether trying again cannot help: that takes another image, or another place. What somebody may mend there is no such thing. */
export function isFinal(error: OciError): boolean {
  return /^(invalid|digest_mismatch|too_large)$/.test(error.kind);
}

/**
 * Why an image cannot be published now, as one sentence that ends with what to do. Of addresses the query is left out: registries put into it what lets an upload
 * go on.
 */
export function publishTrouble(
  error: OciError,
  { host, repository }: { readonly host: string; readonly repository: string },
): string {
  const said = error.message.replaceAll(/\?[^\s:]*/g, "");
  if (error.status === undefined && error.kind !== "unavailable") {
    // What AWS said, a certificate, a file: each says what to do by itself, but for a host that nobody has allowed.
    return /may not be asked/.test(said) ? `${said}: allow it in ${externalRegistries}` : said;
  }
  switch (error.kind) {
    case "unauthorised":
      return `${host} refuses user and password (${error.status}): correct those of ${host} in ${externalRegistries}`;
    case "forbidden":
      return `${host} does not let Slipway push to ${repository} (${error.status}): give its account there the right to push and pull`;
    case "not_found":
      // An upload that was forgotten there is no repository that is missing.
      if (error.code === "BLOB_UPLOAD_UNKNOWN") return notNow(host, said);
      return `${host} has no repository ${repository}: make it there (in ECR Slipway does, where ${externalRegistries} says "ecr")`;
    case "unavailable":
      return notNow(host, said);
    case "refused":
      return `${host} refuses it (${said}): see what it says, and whether SLIPWAY_PUBLISH_TO is right`;
    default:
      return said;
  }
}

function notNow(host: string, said: string): string {
  return `${host} does not take it now (${said}): start it, or correct SLIPWAY_PUBLISH_TO`;
}

import { adapterOf, type UrlKind } from "./schemes.ts";

/** By scheme of what may have a user and a password: an @ behind that which would be taken for the host. */
const cutShort =
  /^(?:(?:postgres(?:ql)?|rediss?|kafka(?:\+ssl)?|s3)|(?:prometheus|scrape):https?):\/\/[^/?#]*[/?#].*@/is;

/**
 * A /, ? or # in a password ends the host for whoever reads the URL, so that a piece of the password becomes the name of a host and is shown in errors.
 * Refused before anybody reads it, with nothing of it.
 */
export function hiddenPassword(kind: UrlKind, url: string): string | undefined {
  if (!cutShort.test(url)) return undefined;
  if (adapterOf(kind, url) === "s3")
    return "credentials have no place in the URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE";
  return "an @ stands behind the host: percent-encode what is special in the user and the password (%2F for /, %3F for ?, %23 for #, %40 for @)";
}

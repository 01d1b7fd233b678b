import type { IncomingHttpHeaders } from "node:http";
import { ProblemError } from "@slipway/contracts";

export const cookieName = "slipway_page";

/**
 * What must hold before a cookie counts. A name other than this machine's own means that some site made the browser come here (DNS rebinding); a
 * request from another origin was not made by the page. `changes`: the request does more than read, and must prove where it comes from.
 */
export function assertFromPage(headers: IncomingHttpHeaders, changes: boolean): void {
  const { host = "" } = headers;
  if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host)) throw refused(`${host} is not this machine`);
  const site = headers["sec-fetch-site"];
  const { origin } = headers;
  if (site !== undefined && site !== "same-origin") throw refused("another site sent it");
  if (origin !== undefined && origin !== `http://${host}`) throw refused("another origin sent it");
  if (changes && site === undefined && origin === undefined) throw refused("it does not say where it comes from");
}

function refused(why: string): ProblemError {
  return new ProblemError("auth.forbidden", `The page's session does not count for this request: ${why}.`, {
    remedy: "Open the address that npm start prints, or send a token in the Authorization header.",
  });
}

export function cookieOf(headers: IncomingHttpHeaders): string | undefined {
  for (const part of (headers.cookie ?? "").split(";")) {
    const [name, value] = part.trim().split("=", 2);
    if (name === cookieName) return value;
  }
  return undefined;
}

/** Only for the page's own paths: other programs of this machine share its name and its cookies. */
export function setCookie(value: string): string {
  return `${cookieName}=${value}; Path=/page; HttpOnly; SameSite=Strict; Max-Age=43200`;
}

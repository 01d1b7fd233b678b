import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { PageSession } from "@slipway/contracts";

const codeLivesMs = 24 * 3_600_000;
const sessionLivesMs = 12 * 3_600_000;
const mostCodes = 100;

/**
 * Who may see the page. A code is good for one sign-in and lives in this process alone; a session is a signed cookie, so that it outlives the process.
 */
export type Sessions = {
  /** The code that was given out last, as long as nobody has used it: an address that is told twice is one address. */
  code(): string;
  /** True once for each code. */
  useCode(code: string): boolean;
  /** The value of a cookie, good for 12 hours. */
  issue(may: PageSession["may"]): string;
  /** Undefined for what was not issued here, was changed, or has expired. */
  read(value: string | undefined): PageSession | undefined;
};

export function openSessions(keyFile: string, now: () => number): Sessions {
  const key = signingKey(keyFile);
  const codes = new Map<string, number>();
  const sign = (text: string) => createHmac("sha256", key).update(text).digest();
  return {
    code() {
      const [last, until] = [...codes].at(-1) ?? [];
      // One that ends while it is read is of no use.
      if (last !== undefined && until !== undefined && now() < until - codeLivesMs / 2) return last;
      const code = randomBytes(24).toString("base64url");
      codes.set(code, now() + codeLivesMs);
      const [oldest] = codes.keys();
      if (codes.size > mostCodes && oldest !== undefined) codes.delete(oldest);
      return code;
    },
    useCode(code) {
      const until = codes.get(code);
      codes.delete(code);
      return until !== undefined && now() < until;
    },
    issue(may) {
      const text = `${may}.${now() + sessionLivesMs}`;
      return `${text}.${sign(text).toString("base64url")}`;
    },
    read(value = "") {
      const match = /^((look|ship)\.(\d+))\.([\w-]{43})$/.exec(value);
      const [, text = "", may, until, signature = ""] = match ?? [];
      const given = Buffer.from(signature, "base64url");
      const own = sign(text);
      if (given.length !== own.length || !timingSafeEqual(given, own) || now() >= Number(until)) return undefined;
      return { may: may === "ship" ? "ship" : "look" };
    },
  };
}

function signingKey(file: string): Buffer {
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString("hex"), { mode: 0o600 });
  return Buffer.from(readFileSync(file, "utf8").trim(), "hex");
}

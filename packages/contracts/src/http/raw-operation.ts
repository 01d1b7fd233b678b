import type { z } from "zod";
import type { Role } from "./endpoint.ts";

export type RawMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What one answer of a raw operation looks like: in words, and its media type where it has a body. */
export type RawAnswer = { readonly description: string; readonly type?: string; readonly schema?: z.ZodType };

export type RawParameter = {
  readonly name: string;
  readonly in: "query" | "header";
  readonly required?: boolean;
  readonly description: string;
};

/**
 * A route that is no JSON call (streams, webhooks, files, other people's protocols), said once for the OpenAPI document. The service reads its
 * requests itself. `errors`: how it says no: `problem` (RFC 9457), or in the words of the protocol that it speaks.
 */
export type RawOperation = {
  readonly id: string;
  readonly method: RawMethod;
  /** Path with `:name` parameters. */
  readonly path: string;
  readonly summary: string;
  /** `token`: Bearer or Basic. */
  readonly auth: "none" | "token" | "signature" | "session";
  /** Who may call it with a token. */
  readonly roles?: readonly Role[];
  readonly parameters?: readonly RawParameter[];
  /** What it takes, by media type. */
  readonly body?: Readonly<Record<string, z.ZodType | null>>;
  readonly answers: Readonly<Record<number, RawAnswer>>;
  readonly errors: "problem" | "oci" | "text" | "none";
};

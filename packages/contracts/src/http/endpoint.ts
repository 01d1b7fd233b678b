import type { z } from "zod";

export type Role = "viewer" | "deployer" | "approver" | "admin" | "service";

type Schema = z.ZodType;

/**
 * One HTTP endpoint, said once: the server validates by it, the OpenAPI document is made from it and the client is typed by it.
 * `roles`: who may call it; admin always may. `status`: of the success answer.
 */
export type Endpoint<
  P extends Schema = Schema,
  Q extends Schema = Schema,
  B extends Schema = Schema,
  R extends Schema = Schema,
> = {
  readonly id: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path with `:name` parameters. */
  readonly path: string;
  readonly summary: string;
  readonly roles: readonly Role[];
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** True where an empty JSON body is the same as `{}`. */
  readonly emptyBody?: boolean;
  readonly status: number;
  readonly response: R;
};

export function endpoint<P extends Schema, Q extends Schema, B extends Schema, R extends Schema>(
  definition: Endpoint<P, Q, B, R>,
): Endpoint<P, Q, B, R> {
  return definition;
}

/** Everybody with a token. */
export const anyRole: readonly Role[] = ["viewer", "deployer", "approver", "admin", "service"];

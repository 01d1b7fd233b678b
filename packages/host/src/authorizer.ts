import { ProblemError, type Role } from "@slipway/contracts";
import type { FastifyRequest } from "fastify";
import type { AuthorizeOptions, Principal } from "./app.ts";
import type { TokenVerifier } from "./token-verifier.ts";
import { tokenOfHeader } from "./tokens.ts";

export type Authorizer = {
  /** Who the request's token belongs to. Throws auth.missing, auth.invalid. */
  authenticate(request: FastifyRequest, options?: AuthorizeOptions): Promise<Principal>;
  /** The same, and throws auth.forbidden unless it has one of the roles; admin always has. */
  authorize(request: FastifyRequest, roles: readonly Role[], options?: AuthorizeOptions): Promise<Principal>;
};

export function authorizer(verifier: TokenVerifier): Authorizer {
  async function authenticate(request: FastifyRequest, options: AuthorizeOptions = {}): Promise<Principal> {
    request.challenge = options.challenge ?? "bearer";
    const token = tokenOfHeader(request.headers.authorization);
    if (token === undefined) {
      throw new ProblemError("auth.missing", "This needs a token in the Authorization header.", {
        remedy: "Send `Authorization: Bearer slp_…`; a first start writes tokens into the data folder, under tokens/.",
      });
    }
    return await verifier.verify(token);
  }
  return {
    authenticate,
    async authorize(request, roles, options) {
      const principal = await authenticate(request, options);
      if (principal.roles.includes("admin") || principal.roles.some((role) => roles.includes(role))) return principal;
      const needed = roles.length === 0 ? "admin" : roles.join(" or ");
      throw new ProblemError("auth.forbidden", `${principal.name} may not do this: it takes the role ${needed}.`);
    },
  };
}

import { PageRollbackRequest, type PageSession, PageSignIn, ProblemError, ShipRequest } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import type { Shipping } from "../shipping/shipping.ts";
import type { Feed } from "./feed.ts";
import { assertFromPage, cookieOf, setCookie } from "./guard.ts";
import { pageOperations } from "./operations.ts";
import type { Sessions } from "./sessions.ts";
import { type StaticFile, securityHeaders } from "./static-files.ts";

/** What stands behind the page once the whole platform runs. */
export type PageWorld = {
  readonly feed: Feed;
  readonly shipping: Shipping;
  /** The notifications' own page, which asks a browser that has no session for a token. */
  inbox(): Promise<{ readonly status: number; readonly headers: Record<string, string>; readonly text: string }>;
};

type Request = Parameters<ServiceApp["authorize"]>[0];

export type PageParts = {
  readonly files: ReadonlyMap<string, StaticFile>;
  readonly sessions: Sessions;
  /** Undefined while the platform starts. */
  readonly world: () => PageWorld | undefined;
};

const lookers = ["viewer", "deployer", "approver", "admin"] as const;

/** `/` and everything below `/page`. The page itself needs no token; what it shows and does needs a session or a token. */
export function pageRoutes(app: ServiceApp, parts: PageParts): void {
  app.describe(...pageOperations);
  for (const [path, file] of parts.files) {
    app.raw.get(path, async (_request, reply) =>
      reply
        .type(file.type)
        .headers({ ...securityHeaders, "cache-control": file.cacheControl })
        .send(file.body),
    );
  }
  sessionRoutes(app, parts);
  app.raw.get("/page/events", async (request, reply) => {
    await mayLook(app, parts, request);
    await worldOf(parts).feed.follow(app.events(request, reply));
    return reply;
  });
  app.raw.get("/page/inbox", async (request, reply) => {
    await mayLook(app, parts, request);
    const { status, headers, text } = await worldOf(parts).inbox();
    return reply.code(status).headers(headers).send(text);
  });
  app.raw.post("/page/ship", async (request, reply) => {
    await mayShip(app, parts, request);
    const { shipping } = worldOf(parts);
    shipping.begin(app.parse(ShipRequest, request.body).change);
    return reply.code(202).send(shipping.view());
  });
  app.raw.post("/page/rollback", async (request, reply) => {
    await mayShip(app, parts, request);
    const { deployment_id } = app.parse(PageRollbackRequest, request.body);
    await worldOf(parts).shipping.rollBack(deployment_id);
    return reply.code(202).send({ deployment_id });
  });
}

function sessionRoutes(app: ServiceApp, { sessions }: PageParts): void {
  app.raw.get("/page/session", async (request): Promise<PageSession> => {
    assertFromPage(request.headers, false);
    const session = sessions.read(cookieOf(request.headers));
    if (session === undefined) throw signInNeeded();
    return session;
  });
  app.raw.post("/page/session", async (request, reply) => {
    assertFromPage(request.headers, true);
    const { code } = app.parse(PageSignIn, request.body ?? {});
    const session =
      code === undefined
        ? await sessionByToken(app, request)
        : sessions.useCode(code)
          ? { may: "ship" as const }
          : undefined;
    if (session === undefined) {
      throw new ProblemError("auth.invalid", "This code was used already, or is not of this platform.", {
        remedy: "npm start prints a new address at each start; a token signs in too.",
      });
    }
    return reply.header("set-cookie", setCookie(sessions.issue(session.may))).send(session);
  });
}

async function sessionByToken(app: ServiceApp, request: Request): Promise<PageSession> {
  const { roles } = await app.authorize(request, lookers);
  return { may: roles.includes("deployer") || roles.includes("admin") ? "ship" : "look" };
}

async function mayLook(app: ServiceApp, parts: PageParts, request: Request): Promise<void> {
  if (request.headers.authorization !== undefined) {
    await app.authorize(request, lookers);
    return;
  }
  assertFromPage(request.headers, false);
  if (parts.sessions.read(cookieOf(request.headers)) === undefined) throw signInNeeded();
}

async function mayShip(app: ServiceApp, parts: PageParts, request: Request): Promise<void> {
  if (request.headers.authorization !== undefined) {
    await app.authorize(request, ["deployer"]);
    return;
  }
  const session = parts.sessions.read(cookieOf(request.headers));
  if (session === undefined) throw signInNeeded();
  assertFromPage(request.headers, true);
  if (session.may !== "ship")
    throw new ProblemError("auth.forbidden", "This session may look and not ship: sign in as a deployer.");
}

function signInNeeded(): ProblemError {
  return new ProblemError("auth.missing", "The page needs a session.", {
    remedy: "Open the address that npm start prints, or sign in with a token of the data folder's tokens/.",
  });
}

function worldOf({ world }: PageParts): PageWorld {
  const now = world();
  if (now === undefined) throw new ProblemError("unavailable", "The platform is still starting.");
  return now;
}

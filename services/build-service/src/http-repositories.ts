import {
  listRepositories,
  ProblemError,
  putRepository,
  type RepositoryView,
  removeRepository,
} from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import type { ServiceApp } from "@slipway/host";
import { refuse } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import type { BuildServiceConfig } from "./config.ts";
import { sshIsThere } from "./git.ts";
import { parseRepositoryUrl } from "./repository-url.ts";
import { findRepositories, forgetRepository, type RepositoryRow, saveRepository } from "./store.ts";
import type { BuildTables } from "./tables.ts";

type Ports = { readonly db: Db<BuildTables>; readonly config: BuildServiceConfig };

/** Where repositories are. Passwords and webhooks' secrets come in and never go out. */
export function repositoryRoutes(app: ServiceApp, ports: Ports): void {
  app.serve(putRepository, async ({ params: { service }, body, principal, now }) => {
    const parsed = parseRepositoryUrl(body.url, ports.config.SLIPWAY_GIT_ALLOW_FILE, await sshIsThere());
    if ("problem" in parsed) return refuse("repository.invalid", parsed.problem, "Give the https URL that git clones.");
    await ports.db.transaction().execute(async (tx) => {
      const taken = await tx
        .selectFrom("repository")
        .select("service")
        .where("match_key", "=", parsed.matchKey)
        .where("service", "!=", service)
        .executeTakeFirst();
      if (taken !== undefined) {
        throw new ProblemError(
          "repository.invalid",
          `The repository belongs to the service "${taken.service}" already.`,
        );
      }
      await saveRepository(tx, { service, url: body.url, matchKey: parsed.matchKey, secret: body.secret }, now);
      const detail = { url: parsed.url };
      await appendAudit(tx, { actor: principal.name, action: "repository.put", subject: service, detail, at: now });
    });
    return { service, url: parsed.url };
  });
  app.serve(removeRepository, async ({ params: { service }, principal, now }) => {
    const url = await ports.db.transaction().execute(async (tx) => {
      const forgotten = await forgetRepository(tx, service);
      if (forgotten === undefined) return undefined;
      const detail = { url: shownUrl(forgotten).url };
      await appendAudit(tx, { actor: principal.name, action: "repository.remove", subject: service, detail, at: now });
      return detail.url;
    });
    if (url === undefined) {
      throw new ProblemError("repository.not_found", `No repository is registered for the service ${service}.`, {
        remedy: "slipway repositories list",
      });
    }
    return { service, url };
  });
  app.serve(listRepositories, async ({ query: { service, page_size: size, page_token } }) => {
    const from = Number(page_token ?? 0);
    const found = await findRepositories(ports.db, { service, from, limit: size + 1 });
    const repositories = found.slice(0, size).map(({ updatedAt, ...row }): RepositoryView => {
      return { service: row.service, ...shownUrl(row), updated_at: updatedAt };
    });
    return { repositories, next_page_token: found.length > size ? String(from + size) : null };
  });
}

/** Without user and password. What was allowed when it was registered is shown, whatever is now. */
function shownUrl(row: RepositoryRow): { readonly url: string; readonly credentials: boolean } {
  const parsed = parseRepositoryUrl(row.url, true);
  if ("problem" in parsed) return { url: row.matchKey, credentials: false };
  return { url: parsed.url, credentials: parsed.credentials !== undefined };
}

import { type BuildView, cancelBuild, getBuild, listBuilds } from "@slipway/contracts";
import { appendAudit, type Durable } from "@slipway/durable";
import type { ServiceApp } from "@slipway/host";
import { type BuildId, type Instant, refuse } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import type { BuildMachine } from "./build-world.ts";
import type { BuildServiceConfig } from "./config.ts";
import { repositoryRoutes } from "./http-repositories.ts";
import { findBuilds } from "./store.ts";
import type { BuildTables } from "./tables.ts";
import { viewOf } from "./view.ts";

export type ApiPorts = {
  readonly db: Db<BuildTables>;
  readonly durable: Durable;
  readonly machine: BuildMachine;
  readonly config: BuildServiceConfig;
};

/** The build service's part of /api/v1. */
export function apiRoutes(app: ServiceApp, ports: ApiPorts): void {
  repositoryRoutes(app, ports);
  app.serve(getBuild, async ({ params }) => {
    const row = await ports.durable.read(ports.machine, params.id);
    if (row === undefined) return notFound(params.id);
    const view = viewOf(row.state);
    if (view.status !== "RUNNING" && view.status !== "QUEUED") return view;
    return { ...view, waiting: await waitingFor(ports, params.id, row.updatedAt, view.waiting) };
  });
  app.serve(listBuilds, async ({ query }) => {
    const before = query.page_token === undefined ? undefined : Number(query.page_token);
    const { service, git_sha: gitSha, page_size: size } = query;
    const found = await findBuilds(ports.db, { service, gitSha, before, limit: size + 1 });
    const page = found.slice(0, size);
    const last = page.at(-1);
    const more = found.length > size && last !== undefined;
    return { builds: page.map(({ state }) => viewOf(state)), next_page_token: more ? String(last.number) : null };
  });
  app.serve(cancelBuild, async ({ params, body, principal }) => {
    const reason = body?.reason ?? `cancelled by ${principal.name}`;
    const result = await ports.db.transaction().execute(async (tx) => {
      const input = (at: Instant) => ({ type: "cancel", by: principal.name, reason, at }) as const;
      const sent = await ports.durable.send(ports.machine, params.id, input, tx);
      if (sent.kind === "applied" && sent.state.phase === "cancelled") {
        const { endedAt: at, service, gitSha } = sent.state;
        await appendAudit(tx, {
          actor: principal.name,
          action: "build.cancel",
          subject: params.id,
          detail: { service, git_sha: gitSha, reason },
          at,
        });
      }
      return sent;
    });
    if (result.kind === "not_found") return notFound(params.id);
    return result.kind === "applied" ? viewOf(result.state) : result;
  });
}

/** What a build that runs has failed at and tries again, and who is before one that waits for a place. */
async function waitingFor(
  ports: ApiPorts,
  id: BuildId,
  since: Instant,
  forPlace: BuildView["waiting"],
): Promise<BuildView["waiting"]> {
  const pending = await ports.durable.pending(ports.machine, id);
  const failed = pending.find(({ command, lastReason }) => command.type !== "publish" && lastReason !== null);
  if (failed?.lastReason == null) return forPlace;
  if (forPlace !== null) return { ...forPlace, for: `${forPlace.for}: ${failed.lastReason}` };
  return { for: failed.lastReason, since, unblockedBy: "it is tried again by itself" };
}

function notFound(id: BuildId) {
  return refuse("build.not_found", `There is no build ${id}.`);
}

import {
  getWatch,
  type Judgement,
  listWatches,
  ProblemError,
  putWatch,
  shutWatch,
  type WatchRequest,
  type WatchView,
} from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import type { DeploymentId, Instant, Refusal } from "@slipway/kernel";
import { judgementOf } from "./domain/looking.ts";
import { armed, type Watch, type WatchInput } from "./domain/watch.ts";
import type { Service } from "./service.ts";

/** Routes of the rollback-controller. */
export function routes(app: ServiceApp, service: Service): void {
  app.serve(putWatch, async ({ params, body, now }) => {
    const stored = await storeArming(service, params.id, body);
    if ("code" in stored) return stored;
    // Whoever has it is not asked: it may hang, and goes on from what was stored of it.
    if ((await service.keeper.take(params.id)) === undefined) throw unknown(params.id);
    const watcher = await service.watchers.arm(params.id, body);
    // The row may know of a FAIL that this process does not: the stronger word counts.
    if (stored.phase === "failed" && watcher.state === "watching") watcher.fail(stored.judgement);
    if (watcher.lastLookAt === null) throw unread(now);
    return watcher.view();
  });

  app.serve(getWatch, ({ params }) => viewOf(service, params.id));

  app.serve(listWatches, async () => ({
    watches: await allViews(service),
    set_aside: service.queue.aside.map(({ at, reason, line }) => ({ at, reason, entry: line })),
  }));

  app.serve(shutWatch, async ({ params, body, principal, now }) => {
    const watcher = service.watchers.get(params.id) ?? (await service.keeper.take(params.id));
    if (watcher === undefined) throw unknown(params.id);
    const reason = body.reason ?? "no reason given";
    const judgement: Judgement = {
      ...judgementOf(watcher.looking, watcher.spec, now),
      verdict: "FAIL",
      sentence: `Shut by ${principal.name}: ${reason}`,
    };
    // Who wanted it goes with the FAIL into the journal and from there, in one transaction, into row and audit log.
    const by = { name: principal.name, reason };
    if (watcher.state === "watching") watcher.fail(judgement, by);
    // Shut already: that somebody asked for it is written down all the same.
    else
      service.queue.tell(params.id, { type: "Failed", judgement, firstErrorAt: null, epochs: watcher.spec.epochs, by });
    return watcher.view();
  });
}

async function storeArming(service: Service, id: DeploymentId, spec: WatchRequest): Promise<Watch | Refusal> {
  const first = armed(id, spec);
  if (await service.durable.create(undefined, service.machine, id, first.state, first.commands)) return first.state;
  const answer = await service.durable.send(service.machine, id, (): WatchInput => ({ type: "Arm", spec }));
  if (answer.kind === "not_found") throw unknown(id);
  return answer.kind === "refusal" ? answer : answer.state;
}

function unread(now: Instant): ProblemError {
  const detail = `Not every region's metrics can be read at ${now}: the watch is not acknowledged.`;
  return new ProblemError("unavailable", detail, { remedy: "It is asked again by itself until they can." });
}

async function viewOf(service: Service, id: DeploymentId): Promise<WatchView> {
  const view = service.watchers.get(id)?.view() ?? (await service.stored.view(id));
  if (view === undefined) throw unknown(id);
  return view;
}

/** While the database is away: those of this process. */
async function allViews({ watchers, stored }: Service): Promise<WatchView[]> {
  const own = watchers.all().map((watcher) => watcher.view());
  const others = await stored.views().catch(() => []);
  return [...own, ...others.filter(({ deployment_id }) => watchers.get(deployment_id) === undefined)];
}

function unknown(id: DeploymentId): ProblemError {
  return new ProblemError("watch.not_found", `There is no watch for ${id}.`);
}

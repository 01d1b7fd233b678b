import { answering, type Cache } from "@slipway/cache";
import { DeploymentStatusView, DeploymentView } from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import type { z } from "zod";
import { deploymentMachine } from "./domain/decide.ts";

/** How old a view may be that is shown: what changes without a change of its deployment (rates, pods, minutes) is seen so late. */
export const viewMs = 1_000;

export type KeptViews = ReturnType<typeof keptViews>;

/**
 * What is shown of a deployment. Pages, pipelines and `slipway watch` ask for the same all the time, and each answer asks the database several times, the
 * rollback-controller and, while pods are awaited, the regions; so an answer is kept, for everybody: a route lets in who may read before it comes here, and shows
 * all of them the same. It is forgotten at each change of the deployment, before who made the change is answered (docs/adr/0025). Nothing is decided by it.
 */
export function keptViews(cache: Cache) {
  const answer = answering(cache);
  const forget = (id: string) => cache.forget(id);
  return {
    view: (id: DeploymentId, ask: () => Promise<DeploymentView>) =>
      answer(id, "view", { read: reading(DeploymentView), ask }),
    status: (id: DeploymentId, ask: () => Promise<DeploymentStatusView>) =>
      answer(id, "status", { read: reading(DeploymentStatusView), ask }),
    forget,
    /** Of what was committed. Nobody waits for it: a cache holds up no commit. */
    onCommit(changed: readonly { readonly kind: string; readonly id: string }[]): void {
      const ids = changed.filter(({ kind }) => kind === deploymentMachine.name).map(({ id }) => id);
      for (const id of new Set(ids)) void forget(id);
    },
  };
}

/** What another version kept, or somebody else put there, is asked for anew. */
function reading<S extends z.ZodType>(schema: S) {
  return (text: string): z.output<S> | undefined => {
    try {
      return schema.safeParse(JSON.parse(text)).data;
    } catch {
      return undefined;
    }
  };
}

import type { Readiness } from "@slipway/host";
import { request } from "undici";

/** Shorter than the host's own patience with a check, so that the reason is this one's. */
const withinMs = 1_500;

/** The platform is ready only with somebody who watches: the rollback-controller's own `/readyz`, asked for by the platform's. */
export function rollbackReadiness(controllerUrl: string): Readiness {
  return {
    name: "rollback-controller",
    async ready() {
      try {
        const answer = await request(`${controllerUrl}/readyz`, { headersTimeout: withinMs, bodyTimeout: withinMs });
        await answer.body.dump();
        return answer.statusCode === 200 ? undefined : `it answers ${answer.statusCode}: see its own /readyz`;
      } catch {
        return "it does not answer: nothing is raised until it does";
      }
    },
  };
}

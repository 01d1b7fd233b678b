import { Agent, type IncomingMessage, request } from "node:http";
import { failsHeader } from "./shop.ts";

/** Of which a canary at 5% has five: enough to be judged in seconds, and little work for the cores on which all of it runs. */
const perSecond = 100;
const tickMs = 50;
/** Where the machine cannot keep up, it is not to be asked all the more: region, mesh and pods are on it, too. */
const mostUnderWay = 20;

export type SteadyRequests = {
  /** From now on the version with this answer fails each of its requests; undefined: none does. */
  turnBad(answer: string | undefined): void;
  /** So far, by the version that answered; `nobody`: there was no answer. */
  readonly served: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
  stop(): Promise<void>;
};

/** Requests for the shop in this environment, through a local region's mesh, until they are stopped. */
export function steadyRequests(meshUrl: string, environment: string): SteadyRequests {
  const agent = new Agent({ keepAlive: true, maxSockets: mostUnderWay });
  const served: Record<string, number> = {};
  const failed: Record<string, number> = {};
  const underWay = new Set<Promise<void>>();
  let bad: string | undefined;
  const ask = async () => {
    const headers = { host: `shop.${environment}`, ...(bad === undefined ? {} : { [failsHeader]: bad }) };
    const answer = await answerTo(meshUrl, agent, headers);
    const by = String(answer?.headers["x-slipway-version"] ?? "nobody");
    const counts = answer === undefined || (answer.statusCode ?? 500) >= 500 ? failed : served;
    counts[by] = (counts[by] ?? 0) + 1;
  };
  const timer = setInterval(() => {
    for (let n = 0; n < (perSecond * tickMs) / 1_000 && underWay.size < mostUnderWay; n += 1) {
      const asked = ask().finally(() => underWay.delete(asked));
      underWay.add(asked);
    }
  }, tickMs);
  return {
    ...{ served, failed },
    turnBad(answer) {
      bad = answer;
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      agent.destroy();
    },
  };
}

/** Undefined: it gave none, whatever the reason. */
function answerTo(
  url: string,
  agent: Agent,
  headers: Readonly<Record<string, string>>,
): Promise<IncomingMessage | undefined> {
  return new Promise((resolve) => {
    const asked = request(url, { agent, headers, timeout: 5_000 }, (answer) => {
      answer.resume();
      answer.once("end", () => resolve(answer));
      answer.once("error", () => resolve(undefined));
    });
    asked.once("timeout", () => asked.destroy());
    asked.once("error", () => resolve(undefined));
    asked.end();
  });
}

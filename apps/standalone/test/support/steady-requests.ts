import { Agent, request } from "undici";
import { answeredBy } from "./mesh.ts";

const perSecond = 100;
const tickMs = 50;

/**
 * Sends a hundred requests a second through the mesh of every region until it is stopped: enough for evidence in seconds, and no more, as whatever is
 * looked at meanwhile runs on the same cores. A mesh that does not answer costs only what was sent to it.
 */
export function steadyRequests(regions: Readonly<Record<string, { readonly mesh: number }>>) {
  return steadyRequestsTo(Object.values(regions).map(({ mesh }) => `http://127.0.0.1:${mesh}`));
}

/** Of what is answered, so many by each version: `failed` where it was an error or nothing. */
export function steadyRequestsTo(meshes: readonly string[]): {
  counts(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
} {
  const counted: Record<string, number> = {};
  const agent = new Agent({ connections: 20, pipelining: 1 });
  const underWay = new Set<Promise<void>>();
  const timer = setInterval(() => {
    for (const mesh of meshes) {
      for (let n = 0; n < (perSecond * tickMs) / 1_000; n += 1) {
        const asked = ask(agent, mesh).then((by) => {
          counted[by] = (counted[by] ?? 0) + 1;
          underWay.delete(asked);
        });
        underWay.add(asked);
      }
    }
  }, tickMs);
  return {
    counts: () => ({ ...counted }),
    async stop() {
      clearInterval(timer);
      await agent.destroy();
      await Promise.all(underWay);
    },
  };
}

async function ask(agent: Agent, mesh: string): Promise<string> {
  try {
    const { body, headers, statusCode } = await request(`${mesh}/orders`, {
      ...{ dispatcher: agent, headers: { host: "orders.prod" } },
      ...{ headersTimeout: 5_000, bodyTimeout: 5_000 },
    });
    await body.dump();
    return statusCode >= 400 ? "failed" : answeredBy(headers);
  } catch {
    // Its mesh or its pod is the one that a test has killed.
    return "failed";
  }
}

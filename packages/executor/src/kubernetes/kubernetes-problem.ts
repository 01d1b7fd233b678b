import { type Connection, connect, reachProblem } from "@slipway/cluster";
import { checkPlace } from "./check-place.ts";
import type { KubernetesPlace } from "./place.ts";

const timeoutMs = 5_000;

/** What keeps steps from running as Jobs there, as a sentence that says what to do; undefined: nothing. Never rejects. */
export async function kubernetesProblem(place: KubernetesPlace): Promise<string | undefined> {
  const { kubeconfig, context, namespace } = place;
  let connection: Connection | undefined;
  try {
    connection = await connect({ region: `builds in ${namespace}`, kubeconfig, context, timeoutMs });
    // Without a body: a server that refuses the credentials may close the connection before it has read one.
    await connection.request("GET", "/version");
    const refused = await checkPlace(connection, place);
    if (refused === undefined) return undefined;
    const { reason, remedy } = refused;
    return `${reason}: ${remedy.charAt(0).toLowerCase()}${remedy.slice(1).replace(/\.$/, "")}`;
  } catch (error) {
    const problem = reachProblem(error, {
      ...{ kubeconfig, context, namedIn: "SLIPWAY_EXECUTOR" },
      renew: "kubectl create token of the build-service's account",
      install: "install the chart with builds.executor=kubernetes",
    });
    return `the cluster of SLIPWAY_EXECUTOR: ${problem}`;
  } finally {
    await connection?.close().catch(() => undefined);
  }
}

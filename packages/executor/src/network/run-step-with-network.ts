import { type CarriedTools, carriedTools, machineTools } from "../carried-tools.ts";
import { runStep } from "../run-step.ts";
import type { Toolchain } from "../toolchain.ts";
import type { StepRequest, StepResult } from "../types.ts";
import { forwarded, proxyInside, socketInside } from "./forwarder.ts";
import { afterRefusals } from "./refusals.ts";
import type { Registries } from "./registries.ts";
import { startRegistryProxy } from "./registry-proxy.ts";

/** What a step may reach: nothing, the package registries of this machine, or everything. */
export type StepNetwork = "none" | "registries" | "full";

export type NetworkedStep = StepRequest & {
  readonly network: StepNetwork;
  readonly registries: Registries;
  readonly toolchain: Toolchain;
  /** Told one line for each host at its first connection, for each refusal, and for the sum at the end. */
  onNetwork(line: string): void;
};

/** Runs a step with its tools (this machine's, or those of its image) and the network that it asked for. See runStep. */
export async function runNetworkedStep(step: NetworkedStep): Promise<StepResult> {
  const { network, registries, toolchain, onNetwork, ...request } = step;
  if (request.isolation.method === "none") return runStep(request);
  const carried = request.root === undefined ? undefined : await carriedTools(request.isolation.nodePath);
  const settings = { ...registries.env, ...trust(carried), ...quiet };
  const tooled =
    carried === undefined
      ? {
          ...request,
          mounts: [...(request.mounts ?? []), ...toolchain.mounts],
          env: { PATH: toolchain.path, ...toolchain.env, ...settings, ...request.env },
        }
      : { ...request, env: { PATH: imagePath, ...settings, ...request.env } };
  if (network === "none") return runStep({ ...tooled, env: { ...tooled.env, GOPROXY: "off", ...request.env } });
  if (network === "full") {
    onNetwork("NETWORK FULL: this step can reach everything that this machine can reach");
    return runStep({ ...tooled, shareNetwork: true });
  }
  return withRegistries(tooled, { registries, onNetwork, node: (carried ?? machineTools).node });
}

/** PATH in an image that sets none. */
const imagePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** An image may lack the certificates that the registries of this machine need, or all of them. */
function trust(carried: CarriedTools | undefined): Record<string, string> {
  const bundle = carried?.certificates;
  return bundle === undefined ? {} : { SSL_CERT_FILE: bundle, PIP_CERT: bundle, NODE_EXTRA_CA_CERTS: bundle };
}

/** Package managers without telemetry, questions, news, and bytecode, which would tell when it was made. */
export const quiet = {
  npm_config_update_notifier: "false",
  npm_config_audit: "false",
  npm_config_fund: "false",
  YARN_ENABLE_TELEMETRY: "0",
  PIP_DISABLE_PIP_VERSION_CHECK: "1",
  PIP_ROOT_USER_ACTION: "ignore",
  // Not PIP_NO_COMPILE=1, which pip reads as the opposite.
  PIP_COMPILE: "0",
  PYTHONDONTWRITEBYTECODE: "1",
};

async function withRegistries(
  request: StepRequest,
  {
    registries,
    onNetwork,
    node,
  }: Pick<NetworkedStep, "registries" | "onNetwork"> & { readonly node: readonly string[] },
): Promise<StepResult> {
  const counts = new Map<string, number>();
  const refused = new Set<string>();
  const proxy = await startRegistryProxy({
    allowed: registries.hosts,
    onRequest: ({ host, allowed }) => {
      if (!allowed) {
        refused.add(host);
        return onNetwork(`network: REFUSED ${host}: not a package registry of this machine`);
      }
      const count = (counts.get(host) ?? 0) + 1;
      counts.set(host, count);
      if (count === 1) onNetwork(`network: ${host}`);
    },
  });
  try {
    const result = await runStep({
      ...request,
      command: forwarded(request.command, node),
      mounts: [...(request.mounts ?? []), { from: proxy.socket, to: socketInside }],
      env: { ...proxyEnv, ...request.env },
    });
    return afterRefusals(result, [...refused]);
  } finally {
    await proxy.close();
    for (const [host, count] of counts) onNetwork(`network: ${host}, ${count} connections in all`);
  }
}

const proxyEnv = {
  HTTP_PROXY: proxyInside,
  HTTPS_PROXY: proxyInside,
  http_proxy: proxyInside,
  https_proxy: proxyInside,
  // Yarn from version 2 on reads none of the others.
  YARN_HTTP_PROXY: proxyInside,
  YARN_HTTPS_PROXY: proxyInside,
  NO_PROXY: "127.0.0.1,localhost",
  no_proxy: "127.0.0.1,localhost",
};

import { runStep } from "../run-step.ts";
import type { Toolchain } from "../toolchain.ts";
import type { StepRequest, StepResult } from "../types.ts";
import { forwarded, proxyInside, socketInside } from "./forwarder.ts";
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

/** Runs a step with the machine's toolchain and the network that it asked for. See runStep. */
export async function runNetworkedStep(step: NetworkedStep): Promise<StepResult> {
  const { network, registries, toolchain, onNetwork, ...request } = step;
  if (request.isolation.method === "none") return runStep(request);
  const tooled = {
    ...request,
    mounts: [...(request.mounts ?? []), ...toolchain.mounts],
    env: { PATH: toolchain.path, ...toolchain.env, ...registries.env, ...quiet, ...request.env },
  };
  if (network === "none") return runStep({ ...tooled, env: { ...tooled.env, GOPROXY: "off", ...request.env } });
  if (network === "full") {
    onNetwork("NETWORK FULL: this step can reach everything that this machine can reach");
    return runStep({ ...tooled, shareNetwork: true });
  }
  return withRegistries(tooled, registries, onNetwork);
}

/** Package managers without telemetry, questions and news. */
const quiet = {
  npm_config_update_notifier: "false",
  npm_config_audit: "false",
  npm_config_fund: "false",
  PIP_DISABLE_PIP_VERSION_CHECK: "1",
  PIP_ROOT_USER_ACTION: "ignore",
  PYTHONDONTWRITEBYTECODE: "1",
};

async function withRegistries(
  request: StepRequest,
  registries: Registries,
  onNetwork: (line: string) => void,
): Promise<StepResult> {
  const counts = new Map<string, number>();
  const proxy = await startRegistryProxy({
    allowed: registries.hosts,
    onRequest: ({ host, allowed }) => {
      if (!allowed) return onNetwork(`network: REFUSED ${host}: not a package registry of this machine`);
      const count = (counts.get(host) ?? 0) + 1;
      counts.set(host, count);
      if (count === 1) onNetwork(`network: ${host}`);
    },
  });
  try {
    return await runStep({
      ...request,
      command: forwarded(request.command),
      mounts: [...(request.mounts ?? []), { from: proxy.socket, to: socketInside }],
      env: { ...proxyEnv, ...request.env },
    });
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
  NO_PROXY: "127.0.0.1,localhost",
  no_proxy: "127.0.0.1,localhost",
};

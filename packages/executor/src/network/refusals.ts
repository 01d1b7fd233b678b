import type { StepResult } from "../types.ts";

const mostNamed = 3;
/** A step may ask for anything; what looks like no host is told in its log alone. */
const hostLike = /^[\w.-]{1,100}(:\d+)?$/;

/** The result of a step, with the hosts (`host:port`) that it was refused: where it failed they are the likeliest reason, and far up in its log. */
export function afterRefusals(result: StepResult, refused: readonly string[]): StepResult {
  const hosts = [...new Set(refused.filter((host) => hostLike.test(host)).map((host) => host.replace(/:443$/, "")))];
  const hasFailed = result.outcome === "failed" || result.outcome === "timed_out";
  if (!hasFailed || hosts.length === 0) return result;
  const are = hosts.length === 1 ? "which is no package registry" : "which are no package registries";
  const remedy = "give the step network: full in slipway.yaml (slipway init writes one)";
  const reason = `${result.reason ?? result.outcome}, after it was refused ${listed(hosts)}, ${are} of this machine: ${remedy}`;
  return { ...result, reason };
}

function listed(hosts: readonly string[]): string {
  const rest = hosts.length - mostNamed;
  // In British English there is no comma before "and".
  return new Intl.ListFormat("en-GB").format(rest > 0 ? [...hosts.slice(0, mostNamed), `${rest} more`] : hosts);
}

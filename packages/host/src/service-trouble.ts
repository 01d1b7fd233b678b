import { readdirSync } from "node:fs";
import { callees, type PlatformService, pathOfOwner, platformServices } from "@slipway/client";
import { awake, certificateTrouble, errorCodes } from "@slipway/kernel";
import type { HostConfig } from "./config.ts";
import { tokensFolder } from "./start-module.ts";
import { urlVariable } from "./url-variable.ts";

const withinMs = 3_000;

type Where = Pick<HostConfig, "env">;

/** The services whose addresses this environment names, as far as its own services call them. */
export function namedServices(config: Where & Pick<HostConfig, "dataDir">): readonly PlatformService[] {
  const own = ownServices(config);
  // Where no token says whose environment it is, all may be called.
  const called = own.length === 0 ? platformServices : own.flatMap((service) => callees[service]);
  return platformServices.filter(
    (service) => called.includes(service) && config.env[urlVariable(service)] !== undefined,
  );
}

/** Whose environment it is, by the tokens that are there; a laptop has all of them, whoever calls from elsewhere none. */
export function ownServices(config: Pick<HostConfig, "dataDir">): readonly PlatformService[] {
  try {
    const names = readdirSync(tokensFolder(config));
    return platformServices.filter((service) => names.includes(service));
  } catch {
    return [];
  }
}

/** What is wrong with the addresses of these services, by the variables that name them. */
export async function serviceTrouble({ env }: Where, services: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    platformServices
      .filter((service) => services.includes(service))
      .map(async (service) => {
        const url = env[urlVariable(service)];
        return url === undefined ? undefined : await serviceProblem(service, url);
      }),
  );
  return found.filter((problem) => problem !== undefined);
}

/** Asked without a token: a service of Slipway's refuses that in a form that nobody else has. */
async function serviceProblem(service: PlatformService, url: string): Promise<string | undefined> {
  const { host } = new URL(url);
  const variable = urlVariable(service);
  const remedy = `see that the ${service} runs, or correct ${variable}`;
  try {
    const asked = `${url.replace(/\/+$/, "")}${pathOfOwner(service)}`;
    const answer = await awake(withinMs, (signal) => fetch(asked, { redirect: "manual", signal }));
    await answer.body?.cancel();
    if (answer.headers.get("content-type")?.startsWith("application/problem+json")) return undefined;
    return `what answers at ${host} is no service of Slipway (${answer.status}): ${remedy}`;
  } catch (error) {
    const untrusted = certificateTrouble(error, {
      certificate: `the certificate of ${host}`,
      rename: `name the ${service} in ${variable} as its certificate does, or give it one for ${host}`,
    });
    return untrusted ?? `${words(error, host)}: ${remedy}`;
  }
}

/** Why a host did not answer a request of `fetch`; its address is in no part of it. */
export function words(error: unknown, host: string): string {
  const codes = errorCodes(error);
  // Of some forty ports, like 9, that the Fetch standard bars.
  if (error instanceof Error && error.cause instanceof Error && error.cause.message === "bad port")
    return `the port of ${host} is one that no HTTP client asks`;
  if (/ECONNREFUSED/.test(codes)) return `nothing listens at ${host}`;
  if (/ENOTFOUND|EAI_AGAIN/.test(codes)) return `the host of ${host} is not known`;
  const code = codes.trim();
  return `${host} does not answer${code === "" ? "" : ` (${code})`}`;
}

import { globSync } from "node:fs";
import { ownerOf } from "@slipway/client";
import * as contracts from "@slipway/contracts";
import { read, root } from "./tree.ts";

/** Which other services a service calls, as its sources say: endpoints of others, and addresses that it asks for. */
export function calledBy(service: string): ReadonlySet<string> {
  const text = sourcesOf(service);
  const endpoints = [...text.matchAll(/client\s*\.call\(\s*(\w+)/g)].map(([, name = ""]) => ownerOfEndpoint(name));
  const addresses = [...text.matchAll(/urls\.of\("([a-z-]+)"\)/g)].map(([, name = ""]) => name);
  return new Set([...endpoints, ...addresses].filter((name) => name !== service));
}

/** What a service works with beside database and bus, as the chart names it. */
export function worksWith(service: string): ReadonlySet<string> {
  const text = sourcesOf(service);
  const signs: readonly (readonly [string, RegExp])[] = [
    ["lock", /worksWith: \[[^\]]*"locks"/],
    ["cache", /worksWith: \[[^\]]*"cache"/],
    ["regions", /worksWith: \[[^\]]*"regions"/],
    ["objects", /\bobjects\.problem\(\)/],
    ["slack", /\bSLIPWAY_SLACK_WEBHOOK_URL:/],
    ["foreignRegistries", /\bSLIPWAY_EXTERNAL_REGISTRIES:/],
    // Repositories and the images of steps.
    ["builds", /\bSLIPWAY_GIT_ALLOW_FILE:/],
  ];
  return new Set(signs.filter(([, sign]) => sign.test(text)).map(([name]) => name));
}

function sourcesOf(service: string): string {
  return globSync(`services/${service}/src/**/*.ts`, { cwd: root })
    .filter((path) => !path.endsWith(".test.ts"))
    .map(read)
    .join("\n");
}

function ownerOfEndpoint(name: string): string {
  const endpoint: unknown = Reflect.get(contracts, name);
  if (typeof endpoint !== "object" || endpoint === null || !("path" in endpoint))
    throw new Error(`${name} is no endpoint of the contracts`);
  const owner = ownerOf(String(endpoint.path));
  if (owner === undefined) throw new Error(`nobody owns ${String(endpoint.path)}`);
  return owner;
}

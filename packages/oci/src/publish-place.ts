import { z } from "zod";
import { isRepository } from "./reference.ts";

/** Where images are published: a registry, and what stands before the service in the names of its repositories. */
export type PublishPlace = { readonly host: string; readonly prefix: string };

const hostPattern = /^([a-z0-9.-]+(:\d{1,5})?|\[[0-9a-f:]+\](:\d{1,5})?)$/;

/** SLIPWAY_PUBLISH_TO: `<host>/<prefix>`, or a host alone. Empty is as none. */
export const PublishTo = z.string().transform((text, context): PublishPlace | undefined => {
  if (text === "") return undefined;
  const [host = "", ...rest] = text.replace(/\/$/, "").split("/");
  const prefix = rest.join("/");
  if (hostPattern.test(host) && (prefix === "" || isRepository(prefix))) return { host, prefix };
  const message =
    "it looks like registry.example.com/team, a host and what stands before the service's name there, without https:// and without a tag";
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});

/** The repository of a service there. */
export function repositoryOf({ prefix }: PublishPlace, service: string): string {
  return prefix === "" ? service : `${prefix}/${service}`;
}

/** As pods name it. */
export function imageAt(place: PublishPlace, { service, digest }: { service: string; digest: string }): string {
  return `${place.host}/${repositoryOf(place, service)}@${digest}`;
}

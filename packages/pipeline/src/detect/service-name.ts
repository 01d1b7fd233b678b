import type { ServiceName } from "@slipway/kernel";

/** A name that a service may have, out of a folder's or a project's name; `app` where nothing of it can stay. */
export function serviceNameFrom(text: string): ServiceName {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return (name === "" ? "app" : name) as ServiceName;
}

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImageRegistries } from "../image-registries.ts";

/** Where BuildKit looks for what FROM lines name, and how it proves itself there: buildkitd.toml and Docker's config.json. Pure. */
export function builderConfig(registries: ImageRegistries): { readonly toml: string; readonly json: string } {
  const named = Object.entries(registries).map(([host, { url, auth }]) => ({ host, url: new URL(url), auth }));
  const tables = named.flatMap(({ host, url }) => {
    const to = `${url.host}${url.pathname.replace(/\/$/, "")}`;
    const mirror = to === host ? [] : [`[registry.${quoted(host)}]`, `mirrors = [${quoted(to)}]`];
    const plain = url.protocol === "http:" ? [`[registry.${quoted(url.host)}]`, "http = true"] : [];
    return [...mirror, ...plain];
  });
  const auths = named.flatMap(({ url, auth }) =>
    auth === undefined ? [] : [[authKey(url.host), { auth: basic(auth) }] as const],
  );
  return { toml: `${tables.join("\n")}\n`, json: JSON.stringify({ auths: Object.fromEntries(auths) }) };
}

/** Writes both into a folder, for the owner alone. */
export async function writeBuilderConfig(folder: string, registries: ImageRegistries): Promise<void> {
  const { toml, json } = builderConfig(registries);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, "buildkitd.toml"), toml, { mode: 0o600 });
  await writeFile(join(folder, "config.json"), json, { mode: 0o600 });
}

/** Docker Hub has a name of its own among credentials. */
function authKey(host: string): string {
  return /^((registry-1|index)\.)?docker\.io$/.test(host) ? "https://index.docker.io/v1/" : host;
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return Buffer.from(`${username}:${password}`).toString("base64");
}

/** A text of TOML: JSON's strings are a part of them. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

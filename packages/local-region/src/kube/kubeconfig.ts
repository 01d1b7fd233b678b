import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

const Cluster = z.looseObject({
  server: z.url(),
  "certificate-authority": z.string().optional(),
  "certificate-authority-data": z.string().optional(),
});
const User = z.looseObject({
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  "client-certificate-data": z.string().optional(),
  "client-key-data": z.string().optional(),
});
const Kubeconfig = z.looseObject({
  "current-context": z.string(),
  contexts: z.array(
    z.looseObject({ name: z.string(), context: z.looseObject({ cluster: z.string(), user: z.string() }) }),
  ),
  clusters: z.array(z.looseObject({ name: z.string(), cluster: Cluster })),
  users: z.array(z.looseObject({ name: z.string(), user: User })),
});

/** Where a Kubernetes API is and how to prove who calls. PEM texts. */
export type KubeAccess = {
  readonly server: string;
  readonly ca: string | undefined;
  readonly token: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
};

/** Reads the current context of a kubeconfig file. Throws when the file is missing or does not say enough. */
export async function readKubeconfig(path: string): Promise<KubeAccess> {
  const config = Kubeconfig.parse(parse(await readFile(path, "utf8")));
  const { context } = pick(config.contexts, config["current-context"], path);
  const { cluster } = pick(config.clusters, context.cluster, path);
  const { user } = pick(config.users, context.user, path);
  const beside = async (file: string | undefined) =>
    file === undefined ? undefined : await readFile(resolve(dirname(path), file), "utf8");
  return {
    server: cluster.server,
    ca: decoded(cluster["certificate-authority-data"]) ?? (await beside(cluster["certificate-authority"])),
    token: user.token ?? (await beside(user.tokenFile))?.trim(),
    certificate: decoded(user["client-certificate-data"]),
    key: decoded(user["client-key-data"]),
  };
}

function pick<T extends { name: string }>(items: readonly T[], name: string, path: string): T {
  const item = items.find((candidate) => candidate.name === name);
  if (item === undefined) throw new Error(`${path} names ${name} and does not hold it`);
  return item;
}

function decoded(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, "base64").toString("utf8");
}

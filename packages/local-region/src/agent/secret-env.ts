import { z } from "zod";
import { type KubeClient, KubeError } from "../kube/client.ts";
import type { PodSpec } from "./pod-spec.ts";

const Secret = z.looseObject({ data: z.record(z.string(), z.string()).nullish() });

/** What a pod's secret variables are, or why they cannot be told yet, in the words of a kubelet. */
export type SecretEnv =
  | { readonly kind: "values"; readonly env: Readonly<Record<string, string>> }
  | { readonly kind: "missing"; readonly why: string };

/** Reads the Secrets that a pod names. Asked at each start of its container and kept nowhere. Throws when the API is away. */
export async function readSecretEnv(client: KubeClient, pod: PodSpec): Promise<SecretEnv> {
  const names = [...new Set(pod.secretEnv.map(({ secret }) => secret))];
  const read = await Promise.all(
    names.map(async (name) => [name, await readSecret(client, pod.namespace, name)] as const),
  );
  const secrets = new Map(read);
  const env: Record<string, string> = {};
  for (const { variable, secret, key, optional } of pod.secretEnv) {
    const data = secrets.get(secret);
    const value = data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined;
    if (value !== undefined) env[variable] = Buffer.from(value, "base64").toString("utf8");
    else if (!optional) {
      const why =
        data === undefined
          ? `secret "${secret}" not found`
          : `couldn't find key ${key} in Secret ${pod.namespace}/${secret}`;
      return { kind: "missing", why };
    }
  }
  return { kind: "values", env };
}

async function readSecret(client: KubeClient, namespace: string, name: string) {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(name)}`;
  try {
    return Secret.parse(await client.call("GET", path)).data ?? {};
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}

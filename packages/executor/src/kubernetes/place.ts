import { z } from "zod";

/** Where steps run as Jobs, and what each gets. */
export type KubernetesPlace = {
  /** Undefined: the account of the pod that this process runs in. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string;
  /** Has the runner, and is what steps without an image of their own run in. */
  readonly image: string;
  /** Secret of the namespace with which images are pulled. */
  readonly pullSecret: string | undefined;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  /** How long a pod may take until its runner answers. */
  readonly startSeconds: number;
};

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const Query = z.strictObject({
  namespace: z.string().regex(dnsLabel, "is no name of a namespace").default("slipway-builds"),
  context: z.string().optional(),
  image: z.string("names the image with the runner, e.g. registry.example/slipway-services:0.1.0").min(1),
  pull_secret: z.string().optional(),
  cpus: z.coerce.number().positive().default(2),
  memory_mib: z.coerce.number().int().positive().default(1_024),
  disk_mib: z.coerce.number().int().positive().default(4_096),
  start_seconds: z.coerce.number().int().positive().default(600),
});

/** Reads `kubernetes:///path/to/kubeconfig?namespace=…&image=…`. Throws with what is wrong, as a sentence. */
export function readKubernetesUrl(text: string): KubernetesPlace {
  const url = new URL(text);
  if (url.host !== "")
    throw new Error("it is kubernetes:///path/to/kubeconfig?…, or kubernetes:?… for the pod's own account");
  const parsed = Query.safeParse(Object.fromEntries(url.searchParams));
  if (!parsed.success) {
    throw new Error(parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  }
  const { namespace, context, image, pull_secret, cpus, memory_mib, disk_mib, start_seconds } = parsed.data;
  return {
    kubeconfig: url.pathname === "" ? undefined : decodeURIComponent(url.pathname),
    ...{ context, namespace, image, cpus, pullSecret: pull_secret },
    ...{ memoryMiB: memory_mib, diskMiB: disk_mib, startSeconds: start_seconds },
  };
}

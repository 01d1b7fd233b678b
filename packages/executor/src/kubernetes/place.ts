import { placedText, settingText } from "@slipway/contracts";
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
  /** Labels of the nodes that take the pods; undefined: any. */
  readonly nodeSelector: Readonly<Record<string, string>> | undefined;
  /** Of taints of these nodes, as Kubernetes writes them. */
  readonly tolerations: readonly z.infer<typeof Toleration>[] | undefined;
  /** What runs the pods of steps, but for those of BuildKit; undefined: what the cluster has for all. */
  readonly runtimeClass: string | undefined;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  /** How long a pod may take until its runner answers. */
  readonly startSeconds: number;
  /** Where Dockerfiles are built; undefined: nowhere. */
  readonly builder: BuilderPlace | undefined;
};

/** A namespace of its own, since its pods need what no step is given. */
export type BuilderPlace = {
  readonly namespace: string;
  /** Rootless BuildKit, by digest: what it is decides what every image is made by. */
  readonly image: string;
};

/** The same place as those see it who build Dockerfiles there. */
export function placeOfBuilder(place: KubernetesPlace, { namespace }: BuilderPlace): KubernetesPlace {
  return { ...place, namespace };
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const objectName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const nodeLabel = /^[A-Za-z0-9][-A-Za-z0-9_./]*=[-A-Za-z0-9_.]*$/;
const byDigest = /^[^@\s]+@sha256:[0-9a-f]{64}$/;
const Namespace = z.string().regex(dnsLabel, "is no name of a namespace");
const Toleration = z.strictObject({
  key: z.string().optional(),
  operator: z.enum(["Exists", "Equal"]).optional(),
  value: z.string().optional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).optional(),
  tolerationSeconds: z.number().int().optional(),
});
const Query = z.strictObject({
  namespace: Namespace.default("slipway-builds"),
  context: z.string().optional(),
  image: z.string("names the image with the runner, e.g. registry.example/slipway-services:0.1.0").min(1),
  pull_secret: z.string().optional(),
  node_selector: z
    .string()
    .transform((text) => text.split(",").filter((label) => label !== ""))
    .pipe(z.array(z.string().regex(nodeLabel, "names labels of nodes, e.g. pool=builds,disk=ssd")))
    .transform((each) => Object.fromEntries(each.map((label) => label.split("=", 2))))
    .optional(),
  tolerations: z
    .string()
    .transform(listOf)
    .pipe(
      z.array(
        Toleration,
        'is a list of tolerations in JSON, e.g. [{"key":"pool","operator":"Exists"}], percent-encoded',
      ),
    )
    .optional(),
  runtime_class: z.string().regex(objectName, "is no name of a RuntimeClass").optional(),
  cpus: z.coerce.number().positive().default(2),
  memory_mib: z.coerce.number().int().positive().default(1_024),
  disk_mib: z.coerce.number().int().positive().default(4_096),
  start_seconds: z.coerce.number().int().positive().default(600),
  buildkit_image: z
    .string()
    .regex(byDigest, "names rootless BuildKit by its digest, e.g. docker.io/moby/buildkit@sha256:<64 hex digits>")
    .optional(),
  buildkit_namespace: Namespace.default("slipway-image-builds"),
});

/** What JSON says; text that is none is no list. */
function listOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Reads `kubernetes:///path/to/kubeconfig?namespace=…&image=…`. Throws with what is wrong, as a sentence. */
export function readKubernetesUrl(text: string): KubernetesPlace {
  const url = new URL(text);
  if (url.host !== "")
    throw new Error("it is kubernetes:///path/to/kubeconfig?…, or kubernetes:?… for the pod's own account");
  const parsed = Query.safeParse(Object.fromEntries(url.searchParams), { error: settingText });
  if (!parsed.success) throw new Error(placedText(parsed.error));
  const { namespace, context, image, pull_secret, cpus, memory_mib, disk_mib, start_seconds } = parsed.data;
  const { buildkit_image, buildkit_namespace, node_selector, tolerations, runtime_class } = parsed.data;
  if (buildkit_image !== undefined && buildkit_namespace === namespace)
    throw new Error("buildkit_namespace: is that of the steps, which may not have what BuildKit needs");
  return {
    kubeconfig: url.pathname === "" ? undefined : decodeURIComponent(url.pathname),
    ...{ context, namespace, image, cpus, pullSecret: pull_secret },
    ...{ nodeSelector: node_selector, tolerations, runtimeClass: runtime_class },
    ...{ memoryMiB: memory_mib, diskMiB: disk_mib, startSeconds: start_seconds },
    builder: buildkit_image === undefined ? undefined : { namespace: buildkit_namespace, image: buildkit_image },
  };
}

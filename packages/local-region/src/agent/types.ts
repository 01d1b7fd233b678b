import type { Clock } from "@slipway/kernel";
import type { PodNetwork } from "./pod-place.ts";

/** Pino-compatible: object first, static message. */
export type Logger = {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
};

/** How one registry host is reached. */
export type RegistryAccess = {
  /** Default: `http://<host>` on loopback, else `https://<host>`. */
  readonly url?: string;
  readonly auth?: { readonly username: string; readonly password: string };
};

export type AgentOptions = {
  /** Default: the host's own network. */
  readonly network?: PodNetwork;
  /** Shown in logs and in the pods' `slipway.dev/region` annotation. */
  readonly region: string;
  /** Runs the pods whose `spec.nodeName` this is. */
  readonly node: string;
  /** Path of a kubeconfig file; its current context is used. */
  readonly kubeconfig: string;
  /** Folder of this agent alone: `pods/<uid>/`. */
  readonly dir: string;
  /** Unpacked images, shareable between agents. Default `<dir>/images`. */
  readonly imagesDir?: string;
  /** How long an unpacked image stays that nobody uses any more. Default 7 days. */
  readonly keepImagesMs?: number;
  /** By registry host as it stands in the image, e.g. `127.0.0.1:7400`. */
  readonly registries?: Readonly<Record<string, RegistryAccess>>;
  readonly log: Logger;
  readonly clock?: Clock;
  /** In [0, 1). Spreads ports and retries. */
  readonly random?: () => number;
};

export type Agent = {
  /**
   * Ends the agent. With `leavePods` the processes live on and the next agent on this folder adopts them; without, each
   * gets SIGTERM, its grace and then SIGKILL.
   */
  stop(options: { readonly leavePods: boolean }): Promise<void>;
};

export type PodLogRequest = {
  /** metadata.uid of the pod. */
  readonly uid: string;
  /** Goes on until the container ends, the pod is gone or the signal fires. */
  readonly follow?: boolean;
  /** The container before the last restart. */
  readonly previous?: boolean;
  readonly tailLines?: number;
  readonly limitBytes?: number;
  readonly signal?: AbortSignal;
};

/** What a pod printed, oldest first, in chunks that need not end at a line. Empty for a pod that never started. */
export type PodLogs = (request: PodLogRequest) => AsyncIterable<Uint8Array>;

/** Annotations that the agent writes on a pod. */
export const podAnnotations = {
  /** Port that the container was told to listen on. In the host's network it is one of 127.0.0.1 and changes with each start of the container. */
  port: "slipway.dev/port",
  /** `host`: the pods share the network of the machine; `addresses`: each has an address of its own. */
  network: "slipway.dev/network",
  /** What holds the memory limit: `cgroup` or `rlimit`. */
  limits: "slipway.dev/limits",
} as const;

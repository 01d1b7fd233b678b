import type { Clock } from "@slipway/kernel";
import type { Logger, PodLogs } from "../agent/types.ts";
import type { Faults } from "./faults.ts";

export type ApiServerOptions = {
  /** Name of the region: of the kubeconfig's context, cluster and user. */
  readonly name: string;
  /** Folder of this server alone: objects, certificates, token, kubeconfig. Made where absent, 0700. */
  readonly dir: string;
  /** 0 = the port of the last time where that is free, else any free one. */
  readonly port: number;
  /** Address to listen on and to write into the kubeconfig. Default 127.0.0.1. */
  readonly host?: string;
  /** Node that every pod is bound to. Default: the region's name. */
  readonly node?: string;
  readonly log: Logger;
  /** Where `kubectl logs` reads. Without it the log subresource answers 501. */
  readonly podLogs?: PodLogs;
  readonly clock?: Clock;
  /** In [0, 1): suffixes of generated names. */
  readonly random?: () => number;
  /** For tests: answers that go wrong on purpose. */
  readonly faults?: Faults;
  /** For tests: how many changes a watch can go back. Default 4,096. */
  readonly historyLimit?: number;
  /** For tests: the journal is folded into a snapshot beyond this. Default 8 MiB. */
  readonly journalLimitBytes?: number;
};

export type ApiServer = {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  readonly node: string;
  /** The certificate of this server's own authority. */
  readonly caPem: string;
  /** Mode 0600; its only context has the region's name and `namespace: prod`. */
  readonly kubeconfigPath: string;
  readonly adminToken: string;
  /** Ends watches, lets answers go out for at most two seconds, closes the store. */
  stop(): Promise<void>;
};

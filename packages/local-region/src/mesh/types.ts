import type { Logger } from "../agent/types.ts";

export type MeshOptions = {
  readonly region: string;
  /** Path of a kubeconfig file; its current context is used. */
  readonly kubeconfig: string;
  /** Port of 127.0.0.1 for requests; 0 = any free one. */
  readonly port: number;
  /** Port of 127.0.0.1 for /metrics and /healthz; 0 = any free one. */
  readonly adminPort: number;
  /** Folder for the last known routes, which serve before the API answers. */
  readonly dir: string;
  readonly log: Logger;
  /** In [0, 1): chooses destinations by weight. */
  readonly random?: () => number;
};

export type Mesh = {
  readonly url: string;
  readonly adminUrl: string;
  /** Accepts no new connection, lets open requests end within a few seconds, then closes. */
  stop(): Promise<void>;
};

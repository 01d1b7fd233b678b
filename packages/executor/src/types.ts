/** How steps are kept apart from the machine. `none` is an explicit choice of the operator, never a fallback. */
export type IsolationMethod = "bubblewrap" | "namespaces" | "none";

/** Where limits are enforced: control groups count the whole tree of a step, rlimits count per process. */
export type LimitTier = "cgroup v2" | "cgroup v1" | "rlimits" | "none";

/** A recipe that has been run once on this machine and held. */
export type Isolation = {
  readonly kind: "isolation";
  readonly method: IsolationMethod;
  readonly limits: LimitTier;
  /** For people, e.g. `bubblewrap, limits: cgroup v1`. */
  readonly description: string;
  /** True when the platform runs as root: each build then gets an unused uid of its own. */
  readonly asRoot: boolean;
  /** Node binary of the platform; `node` inside. */
  readonly nodePath: string;
  /** Folder for mount points; must be reachable for every uid. Nothing but empty folders is left in it. */
  readonly scratch: string;
  /** Writable parent groups, one per hierarchy; empty for rlimits. */
  readonly cgroups: readonly CgroupParent[];
};

/** Of a process that is the first one of a pod, which holds nothing but it and the step. */
export type PodIsolation = Omit<Isolation, "method"> & { readonly method: "pod" };

export type CgroupParent = {
  readonly version: 1 | 2;
  /** Controllers that can be limited here; none = used for killing only. */
  readonly controllers: readonly ("memory" | "pids" | "cpu")[];
  readonly path: string;
};

export type IsolationRefused = {
  readonly kind: "refused";
  readonly reason: string;
  /** What to install or to allow. */
  readonly remedy: string;
};

export type Limits = {
  readonly memoryBytes: number;
  readonly processes: number;
  /** Cores, e.g. 1.5. Enforced by control groups only. */
  readonly cpus: number;
  /** What a step may print before it is killed. */
  readonly outputBytes: number;
  /** Size of the workspace and of the home together. */
  readonly diskBytes: number;
  /** Size of /tmp and of /dev/shm, which are memory. */
  readonly tmpBytes: number;
};

export type Mount = { readonly from: string; readonly to: string };

export type StepRequest = {
  readonly isolation: Isolation | PodIsolation;
  /** Names the build: decides the uid when the platform is root. Builds that run at once need different ones. */
  readonly identity: string;
  /** Folder on the host; /workspace inside, writable. Given to the build's uid when the platform is root. */
  readonly workspace: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Folder on the host with the file system of an image, which takes the place of this machine's system: nothing of this machine is inside
   * but the platform's few tools. It has to have a shell at /bin/sh. Never written to.
   */
  readonly root?: string;
  /** Folder on the host that becomes the step's home, writable. Without it HOME is /tmp and ends with the step. */
  readonly home?: string;
  /** Variables that no argument vector ever holds: other users of the machine can read those. Names as of the shell. */
  readonly secretEnv?: Readonly<Record<string, string>>;
  /** Further files and folders, read-only inside. */
  readonly mounts?: readonly Mount[];
  readonly timeoutMs: number;
  readonly limits?: Partial<Limits>;
  /** Leaves the step in the network of this machine. Default false: it has a loopback of its own and nothing else. */
  readonly shareNetwork?: boolean;
  /** Called with output in order; the next chunk is read when the promise has resolved. */
  onOutput(chunk: Uint8Array): Promise<void> | void;
  readonly signal?: AbortSignal;
};

export type StepResult = {
  readonly outcome: "succeeded" | "failed" | "timed_out" | "cancelled";
  /** Null when a signal ended the step. */
  readonly exitCode: number | null;
  readonly reason?: string;
};

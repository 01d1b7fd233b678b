import type { Stored } from "../stored.ts";

/** Objects whose shape was checked when they were written (schemas.ts). */
export type Labels = Readonly<Record<string, string>>;

export type PodTemplate = {
  readonly metadata?: { readonly labels?: Labels; readonly annotations?: Labels };
  readonly spec: Readonly<Record<string, unknown>>;
};

export type Condition = {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastUpdateTime?: string;
  readonly lastTransitionTime?: string;
};

type WorkloadSpec = {
  readonly replicas: number;
  readonly minReadySeconds?: number;
  readonly selector: { readonly matchLabels?: Labels };
  readonly template: PodTemplate;
};

export type ReplicaSet = Stored & {
  readonly spec: WorkloadSpec;
  readonly status?: {
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly Condition[];
    readonly observedGeneration?: number;
  };
};

export type Deployment = Stored & {
  readonly spec: WorkloadSpec & {
    readonly revisionHistoryLimit: number;
    readonly progressDeadlineSeconds: number;
    readonly strategy: {
      readonly type: "RollingUpdate" | "Recreate";
      readonly rollingUpdate?: { readonly maxSurge: number | string; readonly maxUnavailable: number | string };
    };
  };
  readonly status?: { readonly conditions?: readonly Condition[] };
};

export type Pod = Stored & {
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly {
      readonly name: string;
      readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
    }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly Condition[];
  };
};

export type Service = Stored & {
  readonly spec: {
    readonly selector?: Labels;
    readonly ports?: readonly {
      readonly name?: string;
      readonly port: number;
      readonly protocol?: string;
      readonly targetPort?: number | string;
    }[];
  };
};

export function isReady({ status, metadata }: Pod): boolean {
  const ready = status?.conditions?.some(({ type, status: holds }) => type === "Ready" && holds === "True");
  return ready === true && metadata.deletionTimestamp === undefined;
}

/** The condition of a replica set, and of its deployment, whose pods the API refuses. */
export const replicaFailure = "ReplicaFailure";

export function failureOf({ status }: ReplicaSet): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === replicaFailure);
}

/** Counts toward its replica set: not ending, not over. */
export function isActive({ status, metadata }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

export function controllerOf({ metadata }: Stored): string | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;
}

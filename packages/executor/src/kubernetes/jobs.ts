import { type Connection, isStatus } from "@slipway/cluster";
import { z } from "zod";
import { Conditions } from "./conditions.ts";
import { buildLabel, jobManifest, jobName, labels, type StepJob, secretManifest } from "./manifests.ts";
import type { KubernetesPlace } from "./place.ts";

const Job = z.looseObject({
  metadata: z.looseObject({ uid: z.string(), deletionTimestamp: z.string().nullish() }),
  spec: z.looseObject({ suspend: z.boolean().nullish() }),
  status: z
    .looseObject({
      conditions: Conditions,
    })
    .nullish(),
});

export type JobState =
  | { readonly kind: "none" }
  | { readonly kind: "leaving" }
  | { readonly kind: "there"; readonly uid: string; readonly suspended: boolean }
  | { readonly kind: "over"; readonly reason: string; readonly message: string };

/** The Jobs of steps in one namespace. Every call may be repeated. */
export type Jobs = {
  read(run: string): Promise<JobState>;
  /** Makes the Job, its Secret, and lets it go. */
  make(job: StepJob, key: Uint8Array): Promise<void>;
  /** What the cluster says about a Job that has no pod: a quota, or a policy that refuses it. */
  trouble(run: string): Promise<string | undefined>;
  remove(run: string): Promise<void>;
  removeBuild(identity: string): Promise<void>;
};

const mergePatch = "application/merge-patch+json";
const background = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" };
const Events = z.looseObject({
  items: z.array(
    z.looseObject({ type: z.string().nullish(), reason: z.string().nullish(), message: z.string().nullish() }),
  ),
});

export function openJobs(connection: Connection, place: KubernetesPlace): Jobs {
  const inNamespace = `namespaces/${place.namespace}`;
  const jobs = `/apis/batch/v1/${inNamespace}/jobs`;
  const path = (run: string): string => `${jobs}/${jobName(run)}`;
  const read = async (run: string): Promise<JobState> => {
    try {
      return stateOf(await connection.request("GET", path(run)));
    } catch (error) {
      if (isStatus(error, 404)) return { kind: "none" };
      throw error;
    }
  };
  const unlessThere = async (at: string, body: object): Promise<void> => {
    await connection.request("POST", at, { body }).catch((error: unknown) => {
      if (!isStatus(error, 409)) throw error;
    });
  };
  return {
    read,
    async make(job, key) {
      await unlessThere(jobs, jobManifest(place, job));
      const made = await read(job.run);
      if (made.kind !== "there" || !made.suspended) return;
      await unlessThere(`/api/v1/${inNamespace}/secrets`, secretManifest(place, job, made.uid, key));
      await connection.request("PATCH", path(job.run), { body: { spec: { suspend: false } }, contentType: mergePatch });
    },
    async trouble(run) {
      const query = { fieldSelector: `involvedObject.name=${jobName(run)}` };
      const { items } = Events.parse(await connection.request("GET", `/api/v1/${inNamespace}/events`, { query }));
      const last = items.filter(({ type }) => type === "Warning").at(-1);
      return last === undefined ? undefined : `${last.reason ?? "Warning"}: ${last.message ?? ""}`;
    },
    async remove(run) {
      await connection.request("DELETE", path(run), { body: background }).catch((error: unknown) => {
        if (!isStatus(error, 404)) throw error;
      });
    },
    async removeBuild(identity) {
      const query = { labelSelector: `${labels.build}=${buildLabel(identity)}` };
      await connection.request("DELETE", jobs, { query, body: background });
    },
  };
}

function stateOf(object: unknown): JobState {
  const { metadata, spec, status } = Job.parse(object);
  if (metadata.deletionTimestamp != null) return { kind: "leaving" };
  const end = status?.conditions?.find(
    ({ type, status: holds }) => /^(Failed|Complete)$/.test(type) && holds === "True",
  );
  if (end !== undefined) return { kind: "over", reason: end.reason ?? end.type, message: end.message ?? "" };
  return { kind: "there", uid: metadata.uid, suspended: spec.suspend === true };
}

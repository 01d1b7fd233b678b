import { z } from "zod";
import type { Judgement } from "../events/watch.ts";
import { DeploymentIdSchema } from "../ids.ts";
import type { BuildView } from "./builds.ts";
import type { DeploymentStatus, DeploymentView } from "./deployments.ts";

/** The changes that the page's buttons ship. */
export const ShipChange = z.enum(["good", "bad", "slow", "crash"]);
export type ShipChange = z.infer<typeof ShipChange>;

export const ShipRequest = z.strictObject({ change: ShipChange });
export const PageRollbackRequest = z.strictObject({ deployment_id: DeploymentIdSchema });

/** What proves who looks: the one-time code that `npm start` prints. A token goes into the Authorization header instead. */
export const PageSignIn = z.strictObject({ code: z.string().min(1).max(200).optional() });

/** `may`: what the session allows. */
export type PageSession = { readonly may: "look" | "ship" };

/** Everything the live page shows, whole, as one server-sent event. */
export type PageView = {
  readonly at: string;
  readonly regions: readonly PageRegion[];
  /** The deployment under way, or the latest; null before the first. */
  readonly focus: PageFocus | null;
  /** The deployment that the button takes back: the one under way, or the one whose version serves. */
  readonly roll_back: string | null;
  /** The latest build with its last log lines. */
  readonly build: { readonly view: BuildView; readonly log: readonly string[] } | null;
  readonly shipping: PageShipping;
  readonly recent: readonly PageDeployment[];
  readonly notifications: readonly {
    readonly id: string;
    readonly title: string;
    readonly text: string;
    readonly at: string;
    /** How what it asks for was decided; null where it is not yet, or asks for nothing. */
    readonly settled: string | null;
  }[];
  /** Targets that are only observed, because the database was restored to an older state. */
  readonly observed: readonly string[];
  /** What could not be read just now. */
  readonly missing: readonly string[];
};

export type PageRegion = {
  readonly name: string;
  /** What the region's proxy says it serves of the focused service; null where it does not answer. */
  readonly served: readonly { readonly version: string; readonly percent: number }[] | null;
  readonly mesh_url: string;
  readonly kubectl: string;
};

export type PageFocus = {
  readonly deployment: DeploymentView;
  readonly under_way: boolean;
  readonly judgement: Judgement | null;
  /** Whether the version has passed a gate at 5% or less, or served before. */
  readonly proven: boolean;
  /** The largest share of a region's traffic on a version that is not proven, now. */
  readonly exposure_percent: number;
};

export type PageShipping = {
  /** The service that the buttons change, whatever is shown. */
  readonly service: string;
  /** What is on its way from this page or the story; null = the buttons are free. */
  readonly busy: { readonly what: string; readonly by: string; readonly since: string } | null;
  /** Its last sentences. */
  readonly said: readonly string[];
};

export type PageDeployment = {
  readonly deployment_id: string;
  readonly service: string;
  readonly environment: string;
  readonly version: string;
  readonly git_sha: string;
  readonly status: DeploymentStatus;
  readonly reason: string | null;
  /** How it was caught and what it cost, where that was counted. */
  readonly outcome: string | null;
  readonly rolls_back: string | null;
  readonly waiting: DeploymentView["waiting"];
  readonly at: string;
};

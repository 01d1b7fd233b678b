import type { BuildId, Digest, GitSha, Instant, ServiceName } from "@slipway/kernel";

/**
 * A build, from a push to a registered artifact:
 *
 *   queued -> checking_out -> running -> imaging -> registering -> succeeded
 *      any of them but registering -> cancelled; any of them -> failed
 */

/** What is known of a build from the push on. */
export type About = {
  readonly buildId: BuildId;
  readonly service: ServiceName;
  readonly gitSha: GitSha;
  readonly ref: string;
  readonly author: string;
  readonly queuedAt: Instant;
  /** When a build that has not ended is given up. */
  readonly deadline: Instant;
};

/** A step as its order needs it: its name and what has to succeed before it. */
export type PlannedStep = { readonly name: string; readonly needs: readonly string[] };

export type StepOutcome = "succeeded" | "failed" | "timed_out" | "cancelled";

export type StepState =
  | { readonly state: "waiting" | "skipped" }
  | { readonly state: "running"; readonly startedAt: Instant }
  | {
      readonly state: StepOutcome;
      readonly startedAt: Instant;
      readonly endedAt: Instant;
      readonly exitCode: number | null;
      readonly reason: string | null;
      /** The image that was the step's root, `node:24@sha256:…`; none for the machine's own tools. */
      readonly image?: string | null;
    };

export type Steps = Readonly<Record<string, StepState>>;

/** Fixed when the build begins and kept to the end, since provenance tells of them. */
export type Begun = {
  readonly startedAt: Instant;
  /** For people, e.g. `bubblewrap, limits: cgroup v1`. */
  readonly isolation: string;
  /** How often the build began anew because its workspaces were gone. */
  readonly restarts: number;
};

export type Planned = {
  /** Whose disk has its workspaces: `durable` leads its commands there. None for builds of earlier versions. */
  readonly place?: string;
  readonly committedAt: Instant;
  readonly plan: readonly PlannedStep[];
  readonly steps: Steps;
};

/** The images that an image stands on, each `node:24@sha256:…`. */
export type Stands = {
  /** None for a base of the platform's own. */
  readonly base?: string | null;
  /** Of an image that was built of a Dockerfile. */
  readonly bases?: readonly string[];
};

export type BuildState =
  | (About & { readonly phase: "queued" })
  | (About & Begun & { readonly phase: "checking_out" })
  | (About & Begun & Planned & { readonly phase: "running" })
  | (About & Begun & Planned & { readonly phase: "imaging" })
  | (About & Begun & Planned & { readonly phase: "registering"; readonly digest: Digest } & Stands)
  | (About & Begun & Planned & { readonly phase: "succeeded"; readonly digest: Digest; readonly endedAt: Instant })
  | (About & Partial<Begun & Planned> & Ended & { readonly phase: "failed"; readonly failedStep: string | null })
  | (About & Partial<Begun & Planned> & Ended & { readonly phase: "cancelled"; readonly by: string });

type Ended = { readonly endedAt: Instant; readonly reason: string };

export type Phase = BuildState["phase"];

/** Intents of people. */
export type Intent = { readonly type: "cancel"; readonly by: string; readonly reason: string; readonly at: Instant };

/** Facts of the world. One that does not fit the phase is late, and ignored. */
export type Fact =
  | { readonly type: "begun"; readonly isolation: string; readonly at: Instant }
  | {
      readonly type: "checked_out";
      readonly place?: string;
      readonly committedAt: Instant;
      readonly plan: readonly PlannedStep[];
      readonly at: Instant;
    }
  | { readonly type: "checkout_failed"; readonly reason: string; readonly at: Instant }
  | {
      readonly type: "step_finished";
      readonly step: string;
      readonly outcome: StepOutcome;
      readonly exitCode: number | null;
      readonly reason: string | null;
      readonly image?: string | null;
      readonly at: Instant;
    }
  | ({ readonly type: "imaged"; readonly digest: Digest; readonly at: Instant } & Stands)
  | { readonly type: "image_failed"; readonly reason: string; readonly at: Instant }
  | { readonly type: "registered"; readonly at: Instant }
  | { readonly type: "register_refused"; readonly reason: string; readonly at: Instant }
  /** The files that an effect needs are gone: another machine took over, or the data folder was emptied. */
  | { readonly type: "workspace_lost"; readonly at: Instant }
  | { readonly type: "deadline_passed"; readonly at: Instant };

export type BuildInput = Intent | Fact;

export type BuildCommand =
  | { readonly type: "begin" }
  | { readonly type: "check_out" }
  | { readonly type: "run_step"; readonly step: string }
  | { readonly type: "write_image" }
  | { readonly type: "register" }
  | { readonly type: "publish"; readonly event: BuildEvent; readonly at: Instant }
  | { readonly type: "give_up"; readonly at: Instant }
  /** Removes the workspaces of a build that has ended and wakes those who read its log. */
  | { readonly type: "clean_up" };

/** Events as contracts/events/build.ts shapes them, without what the state says already. */
export type BuildEvent =
  | { readonly type: "queued"; readonly committedAt: Instant }
  | { readonly type: "started" }
  | {
      readonly type: "step_finished";
      readonly step: string;
      readonly outcome: StepOutcome;
      readonly exitCode: number | null;
      readonly ms: number;
    }
  | { readonly type: "succeeded"; readonly digest: Digest; readonly ms: number }
  | { readonly type: "failed"; readonly reason: string; readonly step: string | null; readonly ms: number }
  | { readonly type: "cancelled"; readonly reason: string };

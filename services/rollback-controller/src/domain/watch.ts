import {
  addCounts,
  type Counts,
  type EventOf,
  type Judgement,
  noCounts,
  type WatchRequest,
  type watchTopic,
} from "@slipway/contracts";
import {
  type DeploymentId,
  type Instant,
  type Machine,
  type RegionName,
  refuse,
  type Step,
  step,
  unreachable,
} from "@slipway/kernel";

/**
 * The watch of one deployment.
 *
 *   watching ──FAIL──▶ failed ──▶ ended
 *      └──────────────────────────▲        (the deployment ended)
 *
 * The looks and the judge live in the watcher; the machine holds what must survive: what is watched, the latest verdict, and the duty to shut.
 */
export type Watch =
  | (About & { readonly phase: "watching"; readonly judgement: Judgement | null })
  | (About & {
      readonly phase: "failed";
      readonly judgement: Judgement;
      readonly shut: Readonly<Record<string, Instant>>;
    })
  | (About & { readonly phase: "ended"; readonly judgement: Judgement | null; readonly outcome: string });

type About = { readonly id: DeploymentId; readonly spec: WatchRequest };

export type WatchInput =
  | { readonly type: "Arm"; readonly spec: WatchRequest }
  | { readonly type: "Judged"; readonly judgement: Judgement }
  | {
      readonly type: "Failed";
      readonly judgement: Judgement;
      readonly firstErrorAt: Instant | null;
      /** Of the grant under which it failed. */
      readonly epochs?: Readonly<Record<string, number>> | undefined;
    }
  | {
      readonly type: "ShutConfirmed";
      readonly region: RegionName;
      readonly epoch: number;
      readonly seq: number;
      readonly at: Instant;
    }
  | { readonly type: "MetricsMissing"; readonly since: Instant; readonly regions: readonly RegionName[] }
  | {
      readonly type: "DeploymentEnded";
      readonly outcome: string;
      readonly totals: Readonly<Record<string, Counts>>;
      /** What was found last, told before or not; null where nobody looked. */
      readonly judgement: Judgement | null;
    };

export type WatchCommand =
  | { readonly type: "Publish"; readonly event: EventOf<typeof watchTopic> }
  /** Shut the fence in one region. The watcher does it by itself at once; this row makes sure of it after a crash. */
  | { readonly type: "Shut"; readonly region: RegionName; readonly epoch: number };

type Answer = ReturnType<Machine<Watch, WatchInput, WatchCommand>["decide"]>;

/** The first state of a watch with its first commands. */
export function armed(id: DeploymentId, spec: WatchRequest): Step<Watch, WatchCommand> {
  return step<Watch, WatchCommand>({ phase: "watching", id, spec, judgement: null }, [armedEvent(id, spec)]);
}

export function decide(state: Watch, input: WatchInput): Answer {
  switch (input.type) {
    case "Arm":
      return onArm(state, input.spec);
    case "Judged":
      return state.phase === "watching" && input.judgement.step === state.spec.step
        ? onJudged(state, input.judgement)
        : step(state);
    case "Failed":
      return state.phase === "watching" && !isOfOlderGrant(state, input) ? onFailed(state, input) : step(state);
    case "ShutConfirmed":
      return state.phase === "failed" ? onShut(state, input) : step(state);
    case "MetricsMissing":
      return state.phase === "ended"
        ? step(state)
        : step(state, [
            publish({
              type: "watch.metrics_missing",
              data: { ...about(state), since: input.since, regions: [...input.regions] },
            }),
          ]);
    case "DeploymentEnded":
      return state.phase === "ended" ? step(state) : onEnded(state, input);
    default:
      return unreachable(input);
  }
}

/** Moves the watch to a step. An older grant may not move it back; a newer grant starts it afresh, whatever it had found before. */
function onArm(state: Watch, spec: WatchRequest): Answer {
  const found = compareEpochs(spec.epochs, state.spec.epochs);
  if (found === "older") return refuse("watch.stale_epoch", `${state.id} is watched under newer epochs.`);
  if (state.phase === "ended") return refuse("watch.ended", `The watch of ${state.id} has ended: ${state.outcome}.`);
  if (found === "same" && state.phase === "failed") return step(state);
  if (found === "same") return step({ ...state, spec });
  return step<Watch, WatchCommand>({ phase: "watching", id: state.id, spec, judgement: null }, [
    armedEvent(state.id, spec),
  ]);
}

export function compareEpochs(
  asked: Readonly<Record<string, number>>,
  held: Readonly<Record<string, number>>,
): "older" | "same" | "newer" {
  const regions = new Set([...Object.keys(asked), ...Object.keys(held)]);
  let newer = false;
  for (const region of regions) {
    const difference = (asked[region] ?? 0) - (held[region] ?? 0);
    if (difference < 0) return "older";
    newer ||= difference > 0;
  }
  return newer ? "newer" : "same";
}

function onJudged(state: Extract<Watch, { phase: "watching" }>, judgement: Judgement): Answer {
  const event = publish({ type: "watch.judged", data: { ...about(state), epochs: state.spec.epochs, judgement } });
  return step({ ...state, judgement }, [event]);
}

function onFailed(
  state: Extract<Watch, { phase: "watching" }>,
  input: Extract<WatchInput, { type: "Failed" }>,
): Answer {
  const { judgement, firstErrorAt } = input;
  const next: Watch = { ...state, phase: "failed", judgement, shut: {} };
  const failed = publish({
    type: "watch.failed",
    data: {
      ...about(state),
      ...{ epochs: state.spec.epochs, judgement, first_error_at: firstErrorAt },
      ...(state.spec.mode === "verified" ? { verified: true } : {}),
    },
  });
  return step(next, [...shutCommands(state.spec), failed]);
}

/** A FAIL that waited while the database was away says nothing of what a newer grant tries. */
function isOfOlderGrant(state: Watch, { epochs }: Extract<WatchInput, { type: "Failed" }>): boolean {
  return epochs !== undefined && compareEpochs(epochs, state.spec.epochs) === "older";
}

/** Where there is a version to return to. A first deployment, a way back and a verified version (its predecessor is gone) are only reported. */
export function shutCommands(spec: WatchRequest): readonly Extract<WatchCommand, { type: "Shut" }>[] {
  if (spec.mode === "initial" || spec.mode === "verified") return [];
  return Object.entries(spec.epochs)
    .filter(([region]) => spec.baselines[region] != null)
    .map(([region, epoch]) => ({ type: "Shut", region: region as RegionName, epoch }));
}

function onShut(
  state: Extract<Watch, { phase: "failed" }>,
  input: Extract<WatchInput, { type: "ShutConfirmed" }>,
): Answer {
  const { region, epoch, seq, at } = input;
  if (state.shut[region] !== undefined || state.spec.epochs[region] !== epoch) return step(state);
  const event = publish({ type: "watch.shut_confirmed", data: { ...about(state), region, epoch, seq, at } });
  return step({ ...state, shut: { ...state.shut, [region]: at } }, [event]);
}

function onEnded(state: Watch, input: Extract<WatchInput, { type: "DeploymentEnded" }>): Answer {
  const { outcome, totals } = input;
  // Only what changes the verdict is told while it is watched: at its end it is kept on how much the last one stood.
  const judgement = state.phase === "watching" ? (input.judgement ?? state.judgement) : state.judgement;
  const failed_requests = Object.values(totals).reduce(addCounts, noCounts).canary_errors;
  const event = publish({
    type: "watch.ended",
    data: { ...about(state), outcome, regions: { ...totals }, failed_requests },
  });
  return step({ phase: "ended", id: state.id, spec: state.spec, judgement, outcome }, [event]);
}

function about(state: About) {
  const { service, environment, version } = state.spec;
  return { deployment_id: state.id, service, environment, version };
}

function armedEvent(id: DeploymentId, spec: WatchRequest): WatchCommand {
  return publish({ type: "watch.armed", data: { ...about({ id, spec }), epochs: spec.epochs } });
}

function publish(event: EventOf<typeof watchTopic>): WatchCommand {
  return { type: "Publish", event };
}

export const watchMachine: Machine<Watch, WatchInput, WatchCommand> = { name: "watch", terminal: ["ended"], decide };

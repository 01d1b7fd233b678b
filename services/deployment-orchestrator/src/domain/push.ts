import {
  addMs,
  type DeploymentId,
  type Digest,
  type EnvironmentName,
  type GitSha,
  type Instant,
  type Machine,
  type ServiceName,
  type Step,
  step,
} from "@slipway/kernel";

/**
 * A build of a service that deploys its builds by itself, on its way to a deployment:
 *
 *   pending ─▶ deployed | refused | superseded | given_up
 *
 * Its id is the build's. Nobody asks it anything: there are facts only.
 */
export type Push = Pending | (About & Ended);

export type About = {
  readonly service: ServiceName;
  readonly gitSha: GitSha;
  readonly digest: Digest;
  readonly environment: EnvironmentName;
  /** The owner of the service, in whose name it is deployed. */
  readonly by: string;
  readonly since: Instant;
  readonly deadline: Instant;
};

type Pending = About & { readonly phase: "pending" };
type Ended =
  | { readonly phase: "deployed"; readonly deployment: DeploymentId }
  | { readonly phase: "refused"; readonly reason: string; readonly remedy: string | null }
  | { readonly phase: "superseded"; readonly newer: string }
  | { readonly phase: "given_up"; readonly reason: string };

export type PushFact =
  | { readonly type: "Accepted"; readonly deployment: DeploymentId }
  | { readonly type: "Refused"; readonly reason: string; readonly remedy: string | null }
  | { readonly type: "Overtaken"; readonly newer: string }
  | { readonly type: "DeadlinePassed" };

export type PushCommand = { readonly type: "Deploy" } | { readonly type: "GiveUp"; readonly at: Instant };

const triedForMs = 10 * 60_000;

/** A push as it comes into being, with its first commands. */
export function newPush(about: Omit<About, "deadline">): { state: Push; commands: readonly PushCommand[] } {
  const deadline = addMs(about.since, triedForMs);
  return {
    state: { ...about, deadline, phase: "pending" },
    commands: [{ type: "Deploy" }, { type: "GiveUp", at: deadline }],
  };
}

export const pushMachine: Machine<Push, PushFact, PushCommand> = {
  name: "push",
  terminal: ["deployed", "refused", "superseded", "given_up"],
  decide: decidePush,
};

/** The first fact ends it; what comes later changes nothing. */
export function decidePush(state: Push, fact: PushFact): Step<Push, PushCommand> {
  if (state.phase !== "pending") return step(state);
  const ended = (end: Ended): Step<Push, PushCommand> => ({
    ...step<Push, PushCommand>({ ...state, ...end }),
    supersedes: true,
  });
  switch (fact.type) {
    case "Accepted":
      return ended({ phase: "deployed", deployment: fact.deployment });
    case "Refused":
      return ended({ phase: "refused", reason: fact.reason, remedy: fact.remedy });
    case "Overtaken":
      return ended({ phase: "superseded", newer: fact.newer });
    case "DeadlinePassed":
      return ended({ phase: "given_up", reason: `it could not be asked for until ${state.deadline}` });
  }
}

import type { Digest, EnvironmentName, GitSha, Instant, Machine, ServiceName, Step } from "@slipway/kernel";
import { step } from "@slipway/kernel";
import type { PublishEvent } from "./promotion.ts";

/**
 * The life of a registered artifact. It has one phase until collecting old images gives it an end; it exists to say each
 * thing about an artifact once: a second FAIL in the same environment is no news.
 */
export type ArtifactState = {
  readonly phase: "registered";
  readonly digest: Digest;
  readonly service: ServiceName;
  readonly gitSha: GitSha;
  readonly badIn: readonly EnvironmentName[];
};

export type ArtifactInput = {
  readonly type: "MarkBad";
  readonly environment: EnvironmentName;
  readonly reason: string;
  readonly now: Instant;
};

export const artifactMachine: Machine<ArtifactState, ArtifactInput, PublishEvent> = {
  name: "artifact",
  terminal: [],
  decide(state, input) {
    if (state.badIn.includes(input.environment)) return step(state);
    const { environment, reason } = input;
    const event = { type: "artifact.marked_bad" as const, data: { ...about(state), environment, reason } };
    const badIn = [...state.badIn, environment];
    return step({ ...state, badIn }, [{ type: "Publish", at: input.now, event }]);
  },
};

export function openArtifact(
  artifact: { readonly digest: Digest; readonly service: ServiceName; readonly gitSha: GitSha },
  by: string,
  now: Instant,
): Step<ArtifactState, PublishEvent> {
  const state: ArtifactState = { phase: "registered", ...artifact, badIn: [] };
  const event = { type: "artifact.registered" as const, data: { ...about(state), registered_by: by } };
  return step(state, [{ type: "Publish", at: now, event }]);
}

function about(state: Pick<ArtifactState, "digest" | "service" | "gitSha">) {
  return { digest: state.digest, service: state.service, git_sha: state.gitSha };
}

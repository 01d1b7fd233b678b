import type { RunSpec } from "@slipway/contracts";
import {
  type Digest,
  type GitSha,
  type ImportId,
  type Instant,
  type Machine,
  type ServiceName,
  step,
} from "@slipway/kernel";

/**
 * A foreign image on its way into this registry:
 *
 *   copying ── Registered ──▶ registered
 *      └────── CopyFailed ──▶ failed
 *
 * Both ends are final; asking again is another import, which finds the blobs that an earlier one brought.
 */
export type ImageImport =
  | {
      readonly phase: "copying";
      readonly request: ImportRequest;
      /** The process that was given credentials: durable leads the copy there while it lives. */
      readonly place?: string;
    }
  | {
      readonly phase: "registered";
      readonly request: ImportRequest;
      /** Of the manifest that runs here. */
      readonly digest: Digest;
      readonly gitSha: GitSha;
      readonly endedAt: Instant;
    }
  | { readonly phase: "failed"; readonly request: ImportRequest; readonly reason: string; readonly endedAt: Instant };

export type ImportRequest = {
  readonly id: ImportId;
  readonly service: ServiceName;
  /** `<host>/<repository>@<digest>`, as it was asked for. */
  readonly image: string;
  readonly platform: string;
  /** Null: what the image's label says. */
  readonly gitSha: GitSha | null;
  readonly spec: RunSpec;
  /** The request came with credentials. They themselves are in the memory of one process and nowhere else. */
  readonly withCredentials: boolean;
  readonly requestedBy: string;
  readonly requestedAt: Instant;
  readonly deadlineAt: Instant;
};

export type ImportInput =
  | { readonly type: "Registered"; readonly digest: Digest; readonly gitSha: GitSha; readonly now: Instant }
  | { readonly type: "CopyFailed"; readonly reason: string; readonly now: Instant };

/** Bring the image here and register it. Repeats harmlessly: what is here already is not fetched again. */
export type CopyImage = { readonly type: "CopyImage" };

export const importMachine: Machine<ImageImport, ImportInput, CopyImage> = {
  name: "import",
  terminal: ["registered", "failed"],
  decide(state, input) {
    // A fact that comes twice, or too late, is no news.
    if (state.phase !== "copying") return step(state);
    const { request } = state;
    if (input.type === "CopyFailed") {
      return step({ phase: "failed", request, reason: input.reason, endedAt: input.now });
    }
    const { digest, gitSha, now } = input;
    return step({ phase: "registered", request, digest, gitSha, endedAt: now });
  },
};

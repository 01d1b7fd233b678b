import {
  type Digest,
  type GitSha,
  type Instant,
  type Machine,
  type ServiceName,
  type Step,
  step,
} from "@slipway/kernel";

/**
 * An artifact's image on its way into the registry that regions pull from. Its id is the image's name there, so that one for another place is another machine:
 *
 *   copying ── Published ──▶ published
 *    ▲ └────── CopyFailed ─▶ failed
 *    └── Ask ── published, failed
 *
 * Asking again has all of it looked for, and sent where it is no longer there.
 */
export type Publication = {
  readonly request: PublicationRequest;
  /** When it was first known to be there whole; null: never yet. */
  readonly publishedAt: Instant | null;
} & (
  | { readonly phase: "copying" }
  /** `seenAt`: when it was last found there whole. */
  | { readonly phase: "published"; readonly seenAt: Instant }
  | { readonly phase: "failed"; readonly reason: string; readonly endedAt: Instant }
);

export type PublicationRequest = {
  /** `<host>/<repository>@<digest>`, as pods name it. */
  readonly image: string;
  readonly host: string;
  /** There, e.g. `slipway/orders`. */
  readonly repository: string;
  readonly service: ServiceName;
  readonly digest: Digest;
  readonly gitSha: GitSha;
  readonly requestedBy: string;
  readonly requestedAt: Instant;
  readonly deadlineAt: Instant;
};

export type PublicationInput =
  /** Somebody wants it to be there. */
  | { readonly type: "Ask"; readonly by: string; readonly deadlineAt: Instant; readonly now: Instant }
  | { readonly type: "Published"; readonly now: Instant }
  | { readonly type: "CopyFailed"; readonly reason: string; readonly now: Instant };

/** Copy the image there. Repeats harmlessly: what is there already is not sent again. */
export type PublishImage = { readonly type: "PublishImage" };

type Answer = Step<Publication, PublishImage>;

export const publicationMachine: Machine<Publication, PublicationInput, PublishImage> = {
  name: "publication",
  terminal: [],
  decide(state, input) {
    const { request, publishedAt } = state;
    if (input.type === "Ask") return onAsk(state, input);
    // A fact that comes twice, or too late, is no news.
    if (state.phase !== "copying") return step(state);
    if (input.type === "Published") {
      return step({ phase: "published", request, publishedAt: publishedAt ?? input.now, seenAt: input.now });
    }
    return step({ phase: "failed", request, publishedAt, reason: input.reason, endedAt: input.now });
  },
};

export function openPublication(request: PublicationRequest): Answer {
  return step<Publication, PublishImage>({ phase: "copying", request, publishedAt: null }, [{ type: "PublishImage" }]);
}

function onAsk(state: Publication, { by, deadlineAt, now }: Extract<PublicationInput, { type: "Ask" }>): Answer {
  if (state.phase === "copying") return step(state);
  const request = { ...state.request, requestedBy: by, requestedAt: now, deadlineAt };
  return step<Publication, PublishImage>({ phase: "copying", request, publishedAt: state.publishedAt }, [
    { type: "PublishImage" },
  ]);
}

import type { Digest, GitSha, Instant, ServiceName, Step } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import {
  openPublication,
  type Publication,
  type PublicationInput,
  type PublishImage,
  publicationMachine,
} from "./publication.ts";

const at = (minute: number) => `2026-05-01T10:${String(minute).padStart(2, "0")}:00.000Z` as Instant;
const request = {
  ...{ image: "r.example/slipway/orders@sha256:1", host: "r.example", repository: "slipway/orders" },
  ...{ service: "orders" as ServiceName, digest: "sha256:1" as Digest, gitSha: "a".repeat(40) as GitSha },
  ...{ requestedBy: "build-service", requestedAt: at(0), deadlineAt: at(30) },
};
const copying = openPublication(request).state;
const states: { readonly [P in Publication["phase"]]: Publication } = {
  copying,
  published: { phase: "published", request, publishedAt: at(1), seenAt: at(1) },
  failed: { phase: "failed", request, publishedAt: null, reason: "it is full", endedAt: at(2) },
};
const inputs: { readonly [T in PublicationInput["type"]]: PublicationInput } = {
  Ask: { type: "Ask", by: "ada", deadlineAt: at(40), now: at(10) },
  Published: { type: "Published", now: at(10) },
  CopyFailed: { type: "CopyFailed", reason: "another image has its tag", now: at(10) },
};

function decide(state: Publication, input: PublicationInput): Step<Publication, PublishImage> {
  const answer = publicationMachine.decide(state, input);
  if (answer.kind === "refusal") throw new Error("nothing is refused");
  return answer;
}

const table: { readonly [P in Publication["phase"]]: { readonly [T in PublicationInput["type"]]: string } } = {
  copying: { Ask: "=", Published: "published", CopyFailed: "failed" },
  published: { Ask: "copying", Published: "=", CopyFailed: "=" },
  failed: { Ask: "copying", Published: "=", CopyFailed: "=" },
};

describe("a publication", () => {
  test.each(
    Object.entries(table).flatMap(([phase, row]) => Object.entries(row).map(([type, next]) => [phase, type, next])),
  )("that is %s, at %s: %s", (phase, type, next) => {
    const state = states[phase as Publication["phase"]];

    const answer = decide(state, inputs[type as PublicationInput["type"]]);

    expect(answer.state.phase).toBe(next === "=" ? phase : next);
    expect(answer.state === state).toBe(next === "=");
    expect(answer.commands).toEqual(next === "copying" ? [{ type: "PublishImage" }] : []);
  });

  test("that is asked for again has its time anew, and is known to have been there", () => {
    const again = decide(states.published, inputs.Ask).state;

    expect(again).toMatchObject({ publishedAt: at(1), request: { requestedBy: "ada", deadlineAt: at(40) } });
    expect(decide(again, inputs.Published).state).toMatchObject({
      phase: "published",
      publishedAt: at(1),
      seenAt: at(10),
    });
    expect(decide(again, inputs.CopyFailed).state).toMatchObject({ phase: "failed", publishedAt: at(1) });
  });
});

import type { PublicationView } from "@slipway/contracts";
import { imageAt, type PublishPlace } from "@slipway/oci";
import type { z } from "zod";
import type { Service } from "../service.ts";
import { findPublications, type PublicationRecord } from "../store/publications.ts";

type View = z.input<typeof PublicationView>;
type Named = { readonly service: string; readonly digest: string };

const statuses = { copying: "COPYING", published: "PUBLISHED", failed: "FAILED" } as const;

/** How each of these artifacts is doing where images are published, by digest. Empty where nothing is published. */
export async function publicationsOf(
  { db, publishing: { place } }: Service,
  artifacts: readonly Named[],
): Promise<ReadonlyMap<string, View>> {
  if (place === undefined) return new Map();
  const found = await findPublications(
    db,
    artifacts.map((artifact) => imageAt(place, artifact)),
  );
  const byImage = new Map(found.map((record) => [record.image, record]));
  return new Map(
    artifacts.map((artifact) => {
      const record = byImage.get(imageAt(place, artifact));
      return [artifact.digest, record === undefined ? notYet(place, artifact) : viewOf(record)];
    }),
  );
}

function notYet(place: PublishPlace, artifact: Named): View {
  const none = { waiting: null, reason: null, bytes_total: null, bytes_copied: 0 };
  return {
    ...{ image: imageAt(place, artifact), host: place.host, status: "NOT_PUBLISHED" as const },
    ...{ ...none, requested_at: null, deadline_at: null, published_at: null, seen_at: null, ended_at: null },
  };
}

function viewOf({ state, lastReason, bytesTotal, bytesCopied }: PublicationRecord): View {
  const { request, publishedAt } = state;
  const { host, requestedAt, deadlineAt } = request;
  const copying = state.phase === "copying";
  return {
    image: request.image,
    host,
    status: statuses[state.phase],
    waiting: copying
      ? {
          for:
            lastReason ??
            (bytesTotal === null
              ? "the first of it"
              : `the rest of it: ${bytesCopied} of ${bytesTotal} bytes are there`),
          since: requestedAt,
          unblockedBy: `${host} takes all of it by ${deadlineAt}; else the copy has failed, and is begun again by the next deployment`,
        }
      : null,
    reason: state.phase === "failed" ? state.reason : null,
    bytes_total: bytesTotal,
    bytes_copied: bytesCopied,
    requested_at: requestedAt,
    deadline_at: deadlineAt,
    published_at: publishedAt,
    seen_at: state.phase === "published" ? state.seenAt : null,
    ended_at: state.phase === "failed" ? state.endedAt : null,
  };
}

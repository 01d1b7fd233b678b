import { mediaTypes } from "@slipway/oci";
import { listReferrers, listTags, type Referrer, repositoryExists } from "../store/images.ts";
import { OciProblem } from "./errors.ts";
import type { Answer, Exchange, Registry } from "./exchange.ts";

const defaultPage = 1_000;
const maxPage = 10_000;
const maxReferrers = 10_000;

/** GET tags/list?n=&last= */
export async function tagsList(
  registry: Registry,
  exchange: Exchange,
  { repository }: { readonly repository: string },
): Promise<Answer> {
  const asked = pageSize(exchange.query.get("n"));
  const limit = Math.min(asked ?? defaultPage, maxPage);
  const last = exchange.query.get("last") ?? "";
  const found = await listTags(registry.db, repository, last, limit + 1);
  if (found.length === 0 && !(await repositoryExists(registry.db, repository))) {
    throw new OciProblem("NAME_UNKNOWN", "there is no such repository", { detail: { name: repository } });
  }
  const tags = found.slice(0, limit);
  const end = tags.at(-1);
  const more = found.length > limit && end !== undefined;
  const next = more
    ? `</v2/${repository}/tags/list?${new URLSearchParams({ n: String(limit), last: end })}>; rel="next"`
    : "";
  return {
    status: 200,
    headers: { "content-type": "application/json", ...(more ? { link: next } : {}) },
    body: JSON.stringify({ name: repository, tags }),
  };
}

/** GET referrers/<digest>?artifactType= : an index of what points at a manifest, empty where nothing does. */
export async function referrersList(
  registry: Registry,
  exchange: Exchange,
  subject: { readonly repository: string; readonly digest: string },
): Promise<Answer> {
  const type = exchange.query.get("artifactType") ?? undefined;
  const rows = await listReferrers(registry.db, subject.repository, subject.digest, type, maxReferrers);
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: rows.map(descriptorOf) };
  return {
    status: 200,
    headers: {
      "content-type": mediaTypes.index,
      ...(type === undefined ? {} : { "oci-filters-applied": "artifactType" }),
    },
    body: JSON.stringify(index),
  };
}

function descriptorOf(row: Referrer) {
  return {
    mediaType: row.mediaType,
    digest: row.digest,
    size: row.size,
    ...(row.artifactType === null ? {} : { artifactType: row.artifactType }),
    ...(row.annotations === null ? {} : { annotations: row.annotations }),
  };
}

function pageSize(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new OciProblem("PAGINATION_NUMBER_INVALID", "n is a number of tags", { detail: { n: text } });
}

import type { Digest } from "@slipway/kernel";
import { z } from "zod";
import { OciError } from "./errors.ts";
import { type Answer, readSmall } from "./transport.ts";
import { Descriptor } from "./types.ts";

const maxPages = 1_000;
const Tags = z.looseObject({ tags: z.array(z.string()).nullish() });
const Manifests = z.looseObject({
  manifests: z.array(Descriptor.extend({ artifactType: z.string().optional() })),
});

/**
 * Every tag, page after page. Where the next one begins is the registry's to say (`Link`): the last tag's name for most, a word of its own for ECR,
 * which lists in no order either.
 */
export async function allTags(first: URL, get: (page: URL) => Promise<Answer>): Promise<readonly string[]> {
  const tags: string[] = [];
  let page: URL | undefined = first;
  for (let count = 0; page !== undefined; count += 1) {
    if (count >= maxPages) throw new OciError("too_large", `the repository has more than ${maxPages} pages of tags`);
    const answer = await get(page);
    tags.push(...((await readJson(answer, Tags)).tags ?? []));
    page = nextOf(answer, page);
  }
  return tags.sort();
}

/** Only at the registry itself: what it calls the next page may not lead elsewhere. */
function nextOf(answer: Answer, page: URL): URL | undefined {
  const target = /<([^>]*)>\s*;\s*rel="?next"?/.exec(answer.headers.link ?? "")?.[1];
  if (target === undefined) return undefined;
  const next = new URL(target, page);
  return next.pathname === page.pathname ? new URL(next.search, page) : undefined;
}

/** A registry that does not know the referrers API has them under a tag, if whoever pushed them kept it. */
export function referrersTag(digest: Digest): string {
  return digest.replace(":", "-");
}

/** The manifests of an index of referrers. Registries need not filter, so the filter is kept here as well. */
export async function readReferrers(
  answer: Answer,
  { artifactType }: { readonly artifactType?: string },
): Promise<readonly Descriptor[]> {
  const { manifests } = await readJson(answer, Manifests);
  return artifactType === undefined ? manifests : manifests.filter((each) => each.artifactType === artifactType);
}

async function readJson<T>(answer: Answer, shape: z.ZodType<T>): Promise<T> {
  const bytes = await readSmall(answer.body);
  try {
    return shape.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (cause) {
    throw new OciError("invalid", "the registry's answer could not be read", { cause });
  }
}

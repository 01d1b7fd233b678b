import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { mediaTypes } from "@slipway/oci";
import { askBehind, type Behind, bytesOf, handOn, refuse } from "./behind.ts";
import type { EcrState } from "./state.ts";

const anyKind = [mediaTypes.manifest, mediaTypes.index, mediaTypes.dockerManifest, mediaTypes.dockerManifestList].join(
  ", ",
);

type Place = { readonly state: EcrState; readonly behind: Behind };
type Named = { readonly repository: string; readonly reference: string };

/** Takes a manifest; a tag that never moves takes none again, not even the same one. */
export async function putManifest(
  place: Place,
  { repository, reference }: Named,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const path = `/v2/${repository}/manifests/${reference}`;
  const body = await bytesOf(request);
  const { headers } = request;
  if (place.state.repositories.get(repository)?.immutable && !reference.includes(":")) {
    const there = await askBehind(place.behind, { method: "HEAD", path, headers: { accept: anyKind } });
    there.resume();
    if (there.statusCode === 200) {
      const why = `already exists in the '${repository}' repository and cannot be overwritten because the repository is immutable.`;
      return refuse(response, 400, "TAG_INVALID", `The image tag '${reference}' ${why}`);
    }
  }
  const answer = await askBehind(place.behind, { method: "PUT", path, headers, body });
  const subject = answer.statusCode === 201 ? note(place.state, repository, body) : undefined;
  await handOn(answer, response, { headers: subject === undefined ? {} : { "oci-subject": subject } });
}

function note(state: EcrState, repository: string, body: Buffer): string | undefined {
  const manifest = JSON.parse(body.toString("utf8"));
  const subject: string | undefined = manifest.subject?.digest;
  if (subject === undefined) return undefined;
  const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
  const { mediaType, artifactType, annotations } = manifest;
  const key = `${repository}@${subject}`;
  state.referrers.set(key, [
    ...(state.referrers.get(key) ?? []),
    { mediaType, digest, size: body.byteLength, artifactType, annotations },
  ]);
  return subject;
}

export function listReferrers({ state }: Place, { repository, reference }: Named, response: ServerResponse): void {
  const manifests = state.referrers.get(`${repository}@${reference}`) ?? [];
  const mediaType = "application/vnd.oci.image.index.v1+json";
  response.writeHead(200, { "content-type": mediaType });
  response.end(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
}

/** In no order, and the next page has a name that says nothing. */
export async function listTags(
  { behind }: Place,
  repository: string,
  url: URL,
  response: ServerResponse,
): Promise<void> {
  const answer = await askBehind(behind, { method: "GET", path: `/v2/${repository}/tags/list` });
  if (answer.statusCode !== 200) return handOn(answer, response);
  const all: string[] = JSON.parse((await bytesOf(answer)).toString("utf8")).tags ?? [];
  const from = Number(Buffer.from(url.searchParams.get("last") ?? "", "base64url").toString() || 0);
  const size = Number(url.searchParams.get("n") ?? 100);
  const last = Buffer.from(String(from + size)).toString("base64url");
  const link =
    from + size < all.length
      ? { link: `<${url.pathname}?${new URLSearchParams({ last, n: String(size) })}>; rel="next"` }
      : {};
  const tags = all
    .toSorted()
    .reverse()
    .slice(from, from + size);
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8", ...link });
  response.end(JSON.stringify({ name: repository, tags }));
}

import type { Digest } from "@slipway/kernel";
import type { Credentials } from "./auth.ts";
import { digestOf, verified } from "./digest.ts";
import { OciError } from "./errors.ts";
import type { ConnectionGuard } from "./guard.ts";
import { allTags, readReferrers, referrersTag } from "./lists.ts";
import { isDigest, isRepository, isTag } from "./reference.ts";
import { type Answer, type Call, type Deadline, deadlineIn, readSmall, Transport } from "./transport.ts";
import { type BlobSource, type Descriptor, mediaTypes, type StoredManifest } from "./types.ts";
import { locationOf, sendBlob } from "./upload.ts";

export type RegistryClientOptions = {
  /** `http://127.0.0.1:7400` or `https://…`; the `/v2/` is added. */
  readonly url: string;
  readonly auth?: Credentials;
  /** Time one call may take with all its attempts, in milliseconds. Default 60,000. */
  readonly deadlineMs?: number;
  /** The same for a whole blob. Default ten times that. */
  readonly blobDeadlineMs?: number;
  /** Blobs larger than this are sent in chunks of this size, which can be resumed. Default 16 MiB. */
  readonly chunkBytes?: number;
  /** Set where strangers say which registry this is. */
  readonly guard?: ConnectionGuard;
  /** A number in [0, 1) that spreads retries. */
  readonly random?: () => number;
};

export type CallOptions = { readonly signal?: AbortSignal };

export type Pushed = "present" | "mounted" | "uploaded";

const acceptManifests = [
  mediaTypes.manifest,
  mediaTypes.index,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifestList,
].join(", ");
const maxManifestBytes = 4 * 1024 * 1024;
const defaultDeadlineMs = 60_000;
const defaultChunkBytes = 16 * 1024 * 1024;
/** A registry has what is asked of it here at hand: one that says nothing for a quarter of a call's time is asked again, over another connection. */
const attemptShare = 0.25;

/** One registry, over kept-alive connections. Every method throws OciError and nothing else. */
export class RegistryClient {
  readonly #base: URL;
  readonly #transport: Transport;
  readonly #deadlineMs: number;
  readonly #blobDeadlineMs: number;
  readonly #chunkBytes: number;

  constructor(options: RegistryClientOptions) {
    this.#base = new URL("/v2/", options.url);
    this.#deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
    this.#blobDeadlineMs = options.blobDeadlineMs ?? this.#deadlineMs * 10;
    this.#chunkBytes = options.chunkBytes ?? defaultChunkBytes;
    this.#transport = new Transport({
      registry: this.#base,
      auth: options.auth,
      random: options.random ?? Math.random,
      guard: options.guard,
    });
  }

  /** Size of a blob, or undefined where the repository does not have it. */
  async headBlob(repository: string, digest: Digest, options: CallOptions = {}): Promise<{ size: number } | undefined> {
    const answer = await this.#send(repository, `blobs/${digest}`, {
      method: "HEAD",
      expect: [200, 404],
      deadline: this.#deadline(options),
    });
    await answer.body.dump();
    return answer.status === 404 ? undefined : { size: Number(answer.headers["content-length"] ?? 0) };
  }

  /** Streams a blob; the stream throws `digest_mismatch` at its end when the bytes are others. */
  async getBlob(repository: string, digest: Digest, options: CallOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    const deadline = this.#deadline(options, this.#blobDeadlineMs);
    const first = await this.#openBlob(repository, digest, 0, deadline);
    return verified(this.#resuming(repository, digest, first, deadline), digest);
  }

  /** Makes sure the repository has the blob: asks first, then mounts from `mountFrom`, then sends. */
  async pushBlob(
    repository: string,
    blob: BlobSource,
    options: CallOptions & { readonly mountFrom?: string } = {},
  ): Promise<Pushed> {
    const deadline = this.#deadline(options, this.#blobDeadlineMs);
    let last: unknown;
    for (let attempt = 0; ; attempt += 1) {
      // Tried again for as long as a call may take: who does not even answer this would not take a blob either.
      if ((await this.headBlob(repository, blob.digest, options)) !== undefined) return "present";
      try {
        return await this.#pushOnce(repository, blob, options.mountFrom, deadline);
      } catch (error) {
        // Time running out says nothing of why.
        if (deadline.signal.aborted) throw last ?? error;
        if (!(error instanceof OciError) || error.kind !== "unavailable" || attempt >= 3) throw error;
        last = error;
      }
    }
  }

  /** Begins an upload and gives it up: whether the repository may be written to. */
  async tryUpload(repository: string, options: CallOptions = {}): Promise<void> {
    const path = "blobs/uploads/";
    const deadline = this.#deadline(options);
    const opened = await this.#send(repository, path, { method: "POST", expect: [202], bodyBytes: 0, deadline });
    await opened.body.dump();
    const url = locationOf(opened, this.#url(repository, path));
    const scope = `repository:${repository}:pull,push`;
    // Not every registry can give one up at once: it forgets it after a time.
    await this.#transport
      .send({ method: "DELETE", url, scope, deadline, expect: [204, 404, 405], repeatable: false })
      .then((answer) => answer.body.dump())
      .catch(() => undefined);
  }

  /** A manifest by tag or digest; undefined where there is none. Asked by digest, its bytes are verified. */
  async getManifest(
    repository: string,
    reference: string,
    options: CallOptions = {},
  ): Promise<StoredManifest | undefined> {
    const answer = await this.#manifest("GET", repository, reference, options);
    if (answer.status === 404) {
      await answer.body.dump();
      return undefined;
    }
    const bytes = await readSmall(answer.body, maxManifestBytes);
    const digest = digestOf(bytes);
    if (isDigest(reference) && digest !== reference) {
      throw new OciError("digest_mismatch", `asked for ${reference}, got ${digest}`);
    }
    const mediaType = (answer.headers["content-type"] ?? mediaTypes.manifest).split(";")[0] ?? mediaTypes.manifest;
    return { digest, mediaType, bytes };
  }

  /** Puts a manifest under a tag or its digest and answers its digest. */
  async putManifest(
    repository: string,
    reference: string,
    manifest: { readonly mediaType: string; readonly bytes: Uint8Array },
    options: CallOptions = {},
  ): Promise<Digest> {
    const digest = digestOf(manifest.bytes);
    try {
      const answer = await this.#send(repository, `manifests/${checkedReference(reference)}`, {
        method: "PUT",
        expect: [201],
        headers: { "content-type": manifest.mediaType },
        body: () => manifest.bytes,
        bodyBytes: manifest.bytes.byteLength,
        deadline: this.#deadline(options),
      });
      await answer.body.dump();
    } catch (error) {
      // Where tags never move, some registries refuse even what is there already: that of an answer that was lost, or of somebody who was faster.
      const refused = error instanceof OciError && error.kind === "refused" && isTag(reference);
      if (!refused || (await this.resolve(repository, reference, options)) !== digest) throw error;
    }
    return digest;
  }

  /** The digest a tag stands for now; undefined where the tag does not exist. */
  async resolve(repository: string, tag: string, options: CallOptions = {}): Promise<Digest | undefined> {
    const answer = await this.#manifest("HEAD", repository, tag, options);
    await answer.body.dump();
    if (answer.status === 404) return undefined;
    const digest = answer.headers["docker-content-digest"] ?? "";
    if (isDigest(digest)) return digest;
    return (await this.getManifest(repository, tag, options))?.digest;
  }

  /** Every tag of a repository, sorted. `pageSize` is a wish. */
  listTags(
    repository: string,
    { pageSize }: { readonly pageSize?: number } = {},
    options: CallOptions = {},
  ): Promise<readonly string[]> {
    const path = `tags/list${pageSize === undefined ? "" : `?n=${pageSize}`}`;
    const get = (page: URL) =>
      this.#send(repository, `tags/list${page.search}`, {
        method: "GET",
        expect: [200],
        deadline: this.#deadline(options),
      });
    return allTags(this.#url(repository, path), get);
  }

  /** Manifests whose subject is this digest: signatures, provenance, SBOMs. */
  async referrers(
    repository: string,
    digest: Digest,
    filter: { readonly artifactType?: string } = {},
    options: CallOptions = {},
  ): Promise<readonly Descriptor[]> {
    const query = filter.artifactType === undefined ? "" : `?${new URLSearchParams(filter)}`;
    const answer = await this.#send(repository, `referrers/${digest}${query}`, {
      method: "GET",
      expect: [200, 404],
      deadline: this.#deadline(options),
    });
    if (answer.status === 200) return readReferrers(answer, filter);
    await answer.body.dump();
    const tagged = await this.#manifest("GET", repository, referrersTag(digest), options);
    if (tagged.status === 200) return readReferrers(tagged, filter);
    await tagged.body.dump();
    return [];
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #pushOnce(
    repository: string,
    blob: BlobSource,
    mountFrom: string | undefined,
    deadline: Deadline,
  ): Promise<Pushed> {
    const query = mountFrom === undefined ? "" : `?${new URLSearchParams({ mount: blob.digest, from: mountFrom })}`;
    const path = `blobs/uploads/${query}`;
    const scope = `repository:${repository}:pull,push`;
    const opened = await this.#send(repository, path, { method: "POST", expect: [201, 202], bodyBytes: 0, deadline });
    await opened.body.dump();
    if (opened.status === 201) return "mounted";
    const session = locationOf(opened, this.#url(repository, path));
    await sendBlob({ transport: this.#transport, scope, deadline, blob, chunkBytes: this.#chunkBytes }, session);
    return "uploaded";
  }

  #openBlob(repository: string, digest: Digest, from: number, deadline: Deadline): Promise<Answer> {
    return this.#send(repository, `blobs/${digest}`, {
      method: "GET",
      expect: from === 0 ? [200] : [206],
      ...(from === 0 ? {} : { headers: { range: `bytes=${from}-` } }),
      deadline,
    });
  }

  /** Goes on with a range request where a connection broke in the middle of a blob. */
  async *#resuming(repository: string, digest: Digest, first: Answer, deadline: Deadline): AsyncGenerator<Uint8Array> {
    let answer = first;
    let offset = 0;
    for (let breaks = 0; ; breaks += 1) {
      try {
        for await (const chunk of answer.body) {
          offset += chunk.byteLength;
          yield chunk;
        }
        return;
      } catch (cause) {
        if (deadline.signal.aborted || breaks >= 3) {
          throw new OciError("unavailable", `reading ${digest} broke off at ${offset} bytes`, { cause });
        }
        answer = await this.#openBlob(repository, digest, offset, deadline);
      }
    }
  }

  #manifest(method: "GET" | "HEAD", repository: string, reference: string, options: CallOptions): Promise<Answer> {
    return this.#send(repository, `manifests/${checkedReference(reference)}`, {
      method,
      expect: [200, 404],
      headers: { accept: acceptManifests },
      deadline: this.#deadline(options),
    });
  }

  /** Everything but the bytes of an upload. */
  #send(repository: string, path: string, call: Omit<Call, "url" | "scope">): Promise<Answer> {
    const actions = call.method === "GET" || call.method === "HEAD" ? "pull" : "pull,push";
    return this.#transport.send({
      answerWithinMs: this.#deadlineMs * attemptShare,
      ...call,
      url: this.#url(repository, path),
      scope: `repository:${repository}:${actions}`,
    });
  }

  #url(repository: string, path: string): URL {
    if (!isRepository(repository)) throw new OciError("invalid", `not a repository name: ${repository}`);
    return new URL(`${repository}/${path}`, this.#base);
  }

  #deadline(options: CallOptions, ms = this.#deadlineMs): Deadline {
    return deadlineIn(ms, options.signal);
  }
}

function checkedReference(reference: string): string {
  if (!isTag(reference) && !isDigest(reference)) throw new OciError("invalid", `not a tag or digest: ${reference}`);
  return reference;
}

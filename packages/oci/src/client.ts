import type { Digest } from "@slipway/kernel";
import type { BlobSource, StoredManifest } from "./types.ts";

export type RegistryAuth = { readonly username: string; readonly password: string };

export type RegistryClientOptions = {
  /** `http://127.0.0.1:7400` or `https://…`; the `/v2/` is added. */
  readonly url: string;
  readonly auth?: RegistryAuth;
  /** Time one call may take with all its attempts, in milliseconds. Default 60,000; blobs have ten times that. */
  readonly deadlineMs?: number;
  /** Blobs larger than this are sent in chunks of this size, which can be resumed. Default 16 MiB. */
  readonly chunkBytes?: number;
  /** A number in [0, 1) that spreads retries. */
  readonly random?: () => number;
};

export type CallOptions = { readonly signal?: AbortSignal };

export type Pushed = "present" | "mounted" | "uploaded";

/** One registry, over kept-alive connections. Every method throws OciError and nothing else. */
export class RegistryClient {
  constructor(options: RegistryClientOptions) {
    void options;
  }

  /** Size of a blob, or undefined where the repository does not have it. */
  headBlob(_repository: string, _digest: Digest, _options?: CallOptions): Promise<{ size: number } | undefined> {
    throw new Error("not written yet");
  }

  /** Streams a blob; the stream throws `digest_mismatch` at its end when the bytes are others. */
  getBlob(_repository: string, _digest: Digest, _options?: CallOptions): Promise<AsyncIterable<Uint8Array>> {
    throw new Error("not written yet");
  }

  /** Makes sure the repository has the blob: asks first, then mounts from `mountFrom`, then sends. */
  pushBlob(_repository: string, _blob: BlobSource, _options?: CallOptions & { mountFrom?: string }): Promise<Pushed> {
    throw new Error("not written yet");
  }

  /** A manifest by tag or digest; undefined where there is none. Asked by digest, its bytes are verified. */
  getManifest(_repository: string, _reference: string, _options?: CallOptions): Promise<StoredManifest | undefined> {
    throw new Error("not written yet");
  }

  /** Puts a manifest under a tag or its digest and answers its digest. */
  putManifest(
    _repository: string,
    _reference: string,
    _manifest: { mediaType: string; bytes: Uint8Array },
    _options?: CallOptions,
  ): Promise<Digest> {
    throw new Error("not written yet");
  }

  /** The digest a tag stands for now; undefined where the tag does not exist. */
  resolve(_repository: string, _tag: string, _options?: CallOptions): Promise<Digest | undefined> {
    throw new Error("not written yet");
  }

  close(): Promise<void> {
    throw new Error("not written yet");
  }
}

/** A stored object's name: 1-20 segments of [A-Za-z0-9._:@+-], joined by "/". No segment is "." or "..", or starts with ".". */
export type ObjectKey = string;

export type ObjectInfo = { readonly key: ObjectKey; readonly size: number };

/** Build logs, blobs and other bytes that are too large for a row. Adapters: a folder, S3. */
export interface Objects {
  /**
   * Stores the whole body under the key, or nothing: readers see the old bytes or the new ones, never a part, and when
   * the promise resolves the bytes survive a power cut. A body that throws leaves the old object as it was.
   */
  put(key: ObjectKey, body: Uint8Array | AsyncIterable<Uint8Array>): Promise<{ readonly size: number }>;
  /**
   * The bytes from `from` (default 0, in bytes) to the end; undefined when there is no such object. A `from` at or past
   * the end gives no bytes. The stream keeps showing the object it was opened on, even when that is replaced or deleted.
   */
  get(key: ObjectKey, options?: { readonly from?: number | undefined }): Promise<AsyncIterable<Uint8Array> | undefined>;
  stat(key: ObjectKey): Promise<ObjectInfo | undefined>;
  /** Deleting what is not there is not an error. */
  delete(key: ObjectKey): Promise<void>;
  /** Every object whose key begins with the prefix, in key order. "" lists all. */
  list(prefix: string): Promise<readonly ObjectInfo[]>;
  /** Why nothing can be stored or read now, as a sentence that says what to do; undefined when all is well. */
  problem(): Promise<string | undefined>;
}

/** A key that is not allowed: a bug in the caller or an attack; never answered with bytes. */
export class InvalidObjectKey extends Error {
  constructor(key: string) {
    super(`not a valid object key: ${JSON.stringify(key.slice(0, 200))}`);
    this.name = "InvalidObjectKey";
  }
}

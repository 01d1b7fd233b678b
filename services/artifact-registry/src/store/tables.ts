import type { Provenance, RunSpec, SlipwayFile } from "@slipway/contracts";
import type { Digest, EnvironmentName, GitSha, ImportId, Instant, PromotionId, ServiceName } from "@slipway/kernel";
import type { ColumnType, Generated, JSONColumnType } from "kysely";
import type { Publication } from "../domain/publication.ts";

type Defaulted = ColumnType<Instant, Instant | undefined, Instant>;

export type UploadChunk = { readonly key: string; readonly size: number };

/** Tables of the schema `registry`, beside those of durable. */
export type Tables = {
  blob: { digest: string; size: number; created_at: Defaulted };
  repository_blob: { repository: string; digest: string; created_at: Defaulted };
  upload: {
    id: string;
    repository: string;
    received: Generated<number>;
    chunks: ColumnType<readonly UploadChunk[], undefined, never>;
    created_at: Defaulted;
    updated_at: Defaulted;
  };
  manifest: {
    repository: string;
    digest: string;
    media_type: string;
    bytes: Buffer;
    artifact_type: string | null;
    subject: string | null;
    annotations: JSONColumnType<Record<string, string>> | null;
    created_at: Defaulted;
  };
  manifest_blob: { repository: string; manifest: string; blob: string };
  manifest_child: { repository: string; manifest: string; child: string };
  tag: { repository: string; name: string; digest: string; by: string; at: Defaulted };
  artifact: {
    digest: Digest;
    number: Generated<number>;
    service: ServiceName;
    git_sha: GitSha;
    spec: JSONColumnType<SlipwayFile | RunSpec, string, string>;
    provenance: JSONColumnType<Provenance, string, string>;
    registered_by: string;
    created_at: Instant;
  };
  artifact_environment: {
    digest: Digest;
    environment: EnvironmentName;
    by: string;
    at: Instant;
    promotion: PromotionId | null;
  };
  artifact_bad: { digest: Digest; environment: EnvironmentName; deployment: string; reason: string; at: Instant };
  promotion: {
    number: number;
    id: PromotionId;
    digest: Digest;
    environment: EnvironmentName;
    open: boolean;
    created_at: Instant;
  };
  image_import: {
    number: number;
    id: ImportId;
    service: ServiceName;
    image: string;
    bytes_total: ColumnType<number | null, undefined, number>;
    bytes_copied: ColumnType<number, undefined, number>;
    place_until: ColumnType<Instant | null, undefined, never>;
    waits: ColumnType<boolean, undefined, boolean>;
    seen_at: ColumnType<Instant | null, undefined, never>;
    created_at: Instant;
  };
  publication: {
    image: string;
    digest: Digest;
    service: ServiceName;
    host: string;
    repository: string;
    bytes_total: ColumnType<number | null, undefined, number>;
    bytes_copied: ColumnType<number, undefined, number>;
    published_at: ColumnType<Instant | null, undefined, Instant>;
    created_at: Instant;
  };
  /** Durable's, of which only those of publications are read here. */
  machine: {
    kind: string;
    id: string;
    phase: string;
    state: ColumnType<Publication, never, never>;
    updated_at: Instant;
  };
  pin: {
    digest: Digest;
    deployment: string;
    service: ServiceName;
    environment: EnvironmentName;
    phase: string;
    at: Instant;
  };
};

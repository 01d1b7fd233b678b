import type { Instant } from "@slipway/kernel";
import type { ColumnType, Generated, JSONColumnType } from "kysely";
import type { BuildState } from "./domain/state.ts";

/** Tables of the schema `build` as this service uses them; `machine` is durable's and only read here. */
export type BuildTables = {
  repository: { service: string; url: string; match_key: string; secret: string; updated_at: Instant };
  delivery: {
    service: string;
    delivery_id: string;
    body_sha256: string;
    event: string;
    status: number;
    answer: JSONColumnType<Record<string, unknown>>;
    received_at: Instant;
  };
  build: { number: number; id: string; service: string; git_sha: string; created_at: Instant };
  build_log: {
    build_id: string;
    length: number;
    object: string | null;
    object_length: number | null;
    claimed_until: Instant | null;
    forgotten: Generated<boolean>;
    known_at: Generated<Instant>;
  };
  build_log_left: { build_id: string };
  build_log_chunk: { build_id: string; at: number; bytes: Buffer };
  build_step_output: { build_id: string; run: string; taken: number };
  machine: { kind: string; id: string; phase: string; state: ColumnType<BuildState, never, never> };
};

import type { DurableMachine } from "@slipway/durable";
import type { ImportId } from "@slipway/kernel";
import type { ForeignRegistries, RegistryAuth } from "@slipway/oci";
import type { CopyImage, ImageImport, ImportInput } from "../domain/image-import.ts";

export type ImportMachine = DurableMachine<ImageImport, ImportInput, CopyImage>;

/** What the calls about foreign images stand on. */
export type Importing = {
  readonly machine: ImportMachine;
  readonly registries: ForeignRegistries;
  /** What came with requests, until their import ends. In this process's memory only. */
  readonly credentials: Map<ImportId, RegistryAuth>;
  /** Names this process: where an import is led to that was asked for with credentials. */
  readonly place: string;
  readonly platform: string;
  readonly deadlineMs: number;
};

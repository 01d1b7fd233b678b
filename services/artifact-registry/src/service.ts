import type { Bus } from "@slipway/bus";
import type { Durable, DurableMachine } from "@slipway/durable";
import type { Clock, ImportId, PromotionId } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import type { ArtifactInput, ArtifactState } from "./domain/artifact.ts";
import type { ImageImport } from "./domain/image-import.ts";
import type { Promotion, PromotionCommand, PromotionInput, PublishEvent } from "./domain/promotion.ts";
import type { Environment } from "./domain/promotion-rules.ts";
import type { Importing } from "./import/importing.ts";
import type { Publishing } from "./publish/publishing.ts";
import type { Tables } from "./store/tables.ts";

export type ArtifactMachine = DurableMachine<ArtifactState, ArtifactInput, PublishEvent>;
export type PromotionMachine = DurableMachine<Promotion, PromotionInput, PromotionCommand>;

/** What the calls of this service stand on. */
export type Service = {
  readonly db: Db<Tables>;
  readonly durable: Durable;
  readonly artifacts: ArtifactMachine;
  readonly promotions: PromotionMachine;
  readonly importing: Importing;
  readonly publishing: Publishing;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly environments: readonly Environment[];
  /** Host and port that images are pulled from. Asked at the time of use. */
  imageHost(): string;
};

/** A promotion's state as stored. Throws where the row is gone, which nothing does. */
export async function readPromotion(service: Service, id: PromotionId): Promise<Promotion> {
  const row = await service.durable.read(service.promotions, id);
  if (row === undefined) throw new Error(`promotion ${id} has a row and no state`);
  return row.state;
}

/** An import's state as stored. */
export async function readImport(service: Service, id: ImportId): Promise<ImageImport> {
  const row = await service.durable.read(service.importing.machine, id);
  if (row === undefined) throw new Error(`import ${id} has a row and no state`);
  return row.state;
}

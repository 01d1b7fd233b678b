import type { DurableMachine } from "@slipway/durable";
import type { PublishPlace } from "@slipway/oci";
import type { Publication, PublicationInput, PublishImage } from "../domain/publication.ts";

export type PublicationMachine = DurableMachine<Publication, PublicationInput, PublishImage>;

/** What the calls about published images stand on. */
export type Publishing = {
  readonly machine: PublicationMachine;
  /** Where images are published now; undefined: nowhere, regions pull them from here. */
  readonly place: PublishPlace | undefined;
  readonly deadlineMs: number;
};

import type { Bus } from "@slipway/bus";
import { artifactTopic, type CloudEvent } from "@slipway/contracts";
import { type CommandContext, defineMachine, type Outcome } from "@slipway/durable";
import { type ArtifactInput, type ArtifactState, artifactMachine } from "./domain/artifact.ts";
import { promotionMachine } from "./domain/decide-promotion.ts";
import { type CopyImage, type ImageImport, type ImportInput, importMachine } from "./domain/image-import.ts";
import type { Promotion, PromotionCommand, PromotionInput, PublishEvent } from "./domain/promotion.ts";
import {
  type Publication,
  type PublicationInput,
  type PublishImage,
  publicationMachine,
} from "./domain/publication.ts";
import type { ImportMachine } from "./import/importing.ts";
import { type CopyPorts, performCopy } from "./import/perform-copy.ts";
import { type PublishPorts, performPublish } from "./publish/perform-publish.ts";
import type { PublicationMachine } from "./publish/publishing.ts";
import type { ArtifactMachine, PromotionMachine } from "./service.ts";

const events = { lane: () => "events", survives: () => true } as const;

/** The machines with their one effect: telling the others. */
export function machines(bus: Bus): { readonly artifacts: ArtifactMachine; readonly promotions: PromotionMachine } {
  const publish = (command: PublishEvent, ctx: Pick<CommandContext<unknown>, "commandId">) =>
    publishEvent(bus, command, ctx.commandId);
  return {
    artifacts: defineMachine<ArtifactState, ArtifactInput, PublishEvent>({
      machine: artifactMachine,
      ...events,
      perform: publish,
    }),
    promotions: defineMachine<Promotion, PromotionInput, PromotionCommand>({
      machine: promotionMachine,
      ...events,
      perform: publish,
    }),
  };
}

/** A copy ends itself at its deadline and says what kept it; that it is ended from outside is for one that hangs. */
const endedFromOutsideMs = 10_000;

/** The machine of foreign images, whose one effect brings them here. */
export function importsMachine(ports: CopyPorts, deadlineMs: number): ImportMachine {
  return defineMachine<ImageImport, ImportInput, CopyImage>({
    machine: importMachine,
    lane: () => "copy",
    timeoutMs: () => deadlineMs + endedFromOutsideMs,
    perform: (_command, ctx) => performCopy(ports, ctx),
  });
}

/** The machine of published images, whose one effect copies them there. */
export function publicationsMachine(ports: PublishPorts, deadlineMs: number): PublicationMachine {
  return defineMachine<Publication, PublicationInput, PublishImage>({
    machine: publicationMachine,
    lane: () => "publish",
    timeoutMs: () => deadlineMs + endedFromOutsideMs,
    perform: (_command, ctx) => performPublish(ports, ctx),
  });
}

/** The command's id is the event's id: publishing it again after a crash changes nothing. */
async function publishEvent(bus: Bus, command: PublishEvent, commandId: string): Promise<Outcome<never>> {
  const event: CloudEvent = {
    specversion: "1.0",
    id: `registry-${commandId}`,
    source: "artifact-registry",
    type: command.event.type,
    subject: command.event.data.digest,
    time: command.at,
    datacontenttype: "application/json",
    data: command.event.data,
  };
  await bus.publish(artifactTopic.name, [event]);
  return { kind: "done" };
}

import type { CommandContext, Outcome } from "@slipway/durable";
import { addMs, type Clock, msBetween } from "@slipway/kernel";
import {
  type ForeignRegistries,
  isFinal,
  OciError,
  type PushTarget,
  publishTrouble,
  RegistryClient,
} from "@slipway/oci";
import type { Publication, PublicationInput, PublicationRequest } from "../domain/publication.ts";
import { findPublications, notePublished, othersFirst } from "../store/publications.ts";
import type { Registry } from "../v2/exchange.ts";
import { sendImage } from "./send-image.ts";

export type PublishPorts = {
  readonly registry: Registry;
  readonly registries: ForeignRegistries;
  readonly clock: Clock;
  /** Images that this process is copying now. */
  readonly underWay: Set<string>;
};

/** What the registry answers is shown soon. */
const answerMs = 10_000;
/** A layer may take its time; one attempt that hangs is not to take all of it. */
const mostOfBlobMs = 10 * 60_000;
const againMs = { first: 1_000, most: 30_000 };
/** Images on their way at once in one process: a registry that hangs is not to take the places of events and promotions. */
const mostAtOnce = 8;
const goesOnElsewhere = "another process, which goes on with it";

/**
 * Copies the image to where it is published. Whatever may pass, or may be mended there, is tried again until the deadline: a deployment that waits for it goes on by
 * itself once somebody has given the right that was missing.
 */
export async function performPublish(
  ports: PublishPorts,
  ctx: CommandContext<Publication>,
): Promise<Outcome<PublicationInput>> {
  const state = (await ctx.current())?.state;
  if (state?.phase !== "copying") return { kind: "done" };
  const { request } = state;
  const leftMs = msBetween(ports.clock.now(), request.deadlineAt);
  if (leftMs <= 0) return failed(await lateReason(ports, request));
  if (ports.underWay.size >= mostAtOnce) return { kind: "retry", afterMs: againMs.first, reason: othersFirst };
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(leftMs)]);
  ports.underWay.add(request.image);
  try {
    await publish(ports, request, signal, leftMs);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    const isLate = ports.clock.now() >= request.deadlineAt;
    // The process stops, or somebody else has it: what the registry said last is the reason only where no time is left.
    if (ctx.signal.aborted && !isLate) return { kind: "retry", afterMs: 100, reason: goesOnElsewhere };
    return outcomeOf(ports, request, error, ctx.attempt);
  } finally {
    ports.underWay.delete(request.image);
  }
  await notePublished(ports.registry.db, request.image, ports.clock.now());
  return { kind: "fact", fact: (now) => ({ type: "Published", now }) };
}

async function publish(
  { registry, registries }: PublishPorts,
  request: PublicationRequest,
  signal: AbortSignal,
  leftMs: number,
): Promise<void> {
  const target = await registries.targetOf(request.host);
  const client = new RegistryClient({
    ...{ url: target.url.href, guard: registries.guard },
    ...{ deadlineMs: answerMs, blobDeadlineMs: Math.min(leftMs, mostOfBlobMs) },
    ...(target.auth === undefined ? {} : { auth: target.auth }),
  });
  try {
    const send = () => sendImage({ registry, client, request, signal });
    await send().catch(async (error: unknown) => {
      await makeRepository(target, request, error);
      await send();
    });
  } finally {
    await client.close();
  }
}

/** Only once the registry has said that it lacks the repository: whoever has made all of them needs no right for it. */
async function makeRepository(target: PushTarget, { repository }: PublicationRequest, error: unknown): Promise<void> {
  const isMissing = error instanceof OciError && error.kind === "not_found" && error.code === "NAME_UNKNOWN";
  if (!isMissing || target.makeRepository === undefined) throw error;
  await target.makeRepository(repository);
}

function outcomeOf(
  { clock }: PublishPorts,
  request: PublicationRequest,
  error: OciError,
  attempt: number,
): Outcome<PublicationInput> {
  const reason = publishTrouble(error, request);
  const afterMs = Math.min(againMs.most, againMs.first * 2 ** Math.min(attempt - 1, 10));
  const late = addMs(clock.now(), afterMs) >= request.deadlineAt;
  return isFinal(error) || late ? failed(reason) : { kind: "retry", afterMs, reason };
}

/** What kept it the last time is told, not that time went by. */
async function lateReason({ registry }: PublishPorts, { image }: PublicationRequest): Promise<string> {
  const [record] = await findPublications(registry.db, [image]);
  return record?.lastReason == null ? "it was not done in time" : `it was not done in time: ${record.lastReason}`;
}

function failed(reason: string): Outcome<PublicationInput> {
  return { kind: "fact", fact: (now) => ({ type: "CopyFailed", reason, now }) };
}

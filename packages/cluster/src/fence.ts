import type { Fence } from "./port.ts";

/**
 * The fence: `<epoch>/<seq>/<open|shut>/<D-id>` in an annotation of the VirtualService.
 *
 *   (none) ──openFence──▶ open(e) ──raise──▶ open(e) ──lower──▶ shut(e), final for e ──openFence(e' > e)──▶ open(e')
 *
 * Every write of weights carries seq + 1, through all epochs: a write that was answered by nobody is recognised by it.
 */
export const fenceAnnotation = "slipway.dev/fence";
/** `slipway.dev/paused: <reason>` stops every write but a lowering one. */
export const pausedAnnotation = "slipway.dev/paused";
/** What the last write of ours set, so that a change from outside can be told from our own: `orders-a=95,orders-b=5`. */
export const weightsAnnotation = "slipway.dev/weights";
/**
 * Where a lowering sends all requests: the baseline of the grant, or the service itself where there is none. What a region's admission policy lets the
 * rollback-controller raise, and nothing else (deploy/regions). The base Service has it too: a policy sees the one object that is written.
 */
export const baselineAnnotation = "slipway.dev/baseline";
/** The grant under which a Deployment, Service or DestinationRule was last written. */
export const epochAnnotation = "slipway.dev/epoch";

const form = /^(0|[1-9]\d{0,14})\/(0|[1-9]\d{0,14})\/(open|shut)\/(\S{1,100})$/;

/** Null for a missing or unreadable annotation, which everybody treats as shut. */
export function parseFence(annotation: string | undefined): Fence | null {
  const match = form.exec(annotation ?? "");
  if (match === null) return null;
  const [, epoch, seq, gate, holder] = match;
  return { epoch: Number(epoch), seq: Number(seq), gate: gate as Fence["gate"], holder: holder as string };
}

export function formatFence(fence: Fence): string {
  return `${fence.epoch}/${fence.seq}/${fence.gate}/${fence.holder}`;
}

/** The fence of the next write. A fence that is missing counts as seq 0. */
export function nextFence(found: Fence | null, write: Omit<Fence, "seq">): Fence {
  return { epoch: write.epoch, seq: (found?.seq ?? 0) + 1, gate: write.gate, holder: write.holder };
}

import type { PromotionView } from "@slipway/contracts";

/** A promotion in one line. */
export function showPromotion(view: PromotionView): string {
  const by = view.approvals.map((approval) => approval.by).join(", ");
  const approved = by === "" ? "" : `, approved by ${by}`;
  const missing = view.approvals_needed - view.approvals.length;
  const needed = view.status === "PENDING" ? `, ${missing} more approval${missing === 1 ? "" : "s"} needed` : "";
  const what = `${view.service} ${view.digest.slice(0, 19)}`;
  return `${view.promotion_id} ${view.status}: ${view.from} -> ${view.to}, ${what}, asked for by ${view.requested_by}${approved}${needed}`;
}

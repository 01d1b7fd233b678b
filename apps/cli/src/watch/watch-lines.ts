import { type DeploymentStatusView, type DeploymentView, waitingText } from "@slipway/contracts";

/** What was said already, so that only changes are said. */
export type Told = {
  readonly status: string;
  readonly waiting: string;
  readonly gates: number;
  readonly regions: Readonly<Record<string, string>>;
  readonly verdict: string;
  /** Requests still needed when they were last spoken of. */
  readonly needed: number | null;
};

export const nothingTold: Told = { status: "", waiting: "", gates: 0, regions: {}, verdict: "", needed: null };

type Now = { readonly view: DeploymentView; readonly status: DeploymentStatusView };

/**
 * What is new about a deployment since it was last looked at, one line each, and what stands in one line that is written over. Evidence
 * grows with each request: it is said when the verdict changes and when half of what was missing has come.
 */
export function watchLines(
  told: Told,
  now: Now,
): { readonly lines: readonly string[]; readonly live: string; readonly told: Told } {
  const next: Told = {
    status: statusLine(now),
    waiting: waitingText(now.view),
    gates: now.view.gates.length,
    regions: Object.fromEntries(Object.entries(now.view.regions).map(([name, own]) => [name, own.reason ?? ""])),
    verdict: now.status.verdict ?? "",
    needed: now.status.requests_needed,
  };
  const gates = now.view.gates
    .slice(told.gates)
    .map((gate) => `gate at ${gate.weight_percent}%: ${gate.verdict}: ${gate.sentence}`);
  const changed = next.status !== told.status;
  const lines = [
    ...gates,
    ...(changed ? [next.status] : []),
    ...(next.waiting !== told.waiting && next.waiting !== "" ? [`  ${next.waiting}`] : []),
    ...regionLines(told, next),
  ];
  const evidence = evidenceOf(now.status);
  // A gate that has just been told, or the last one, said the same already.
  const known = now.view.gates.some((gate) => gate.sentence === now.status.sentence);
  const speak =
    evidence !== "" && !known && (next.verdict !== told.verdict || halved(told.needed, next.needed) || changed);
  return {
    lines: speak ? [...lines, `  ${evidence}`] : lines,
    live: evidence,
    told: speak ? next : { ...next, needed: told.needed },
  };
}

/** What a person wants to know first. */
export function headLine({ view, status }: Now): string {
  const where = Object.keys(view.regions).join(", ");
  return `${view.deployment_id}: ${view.version} to ${view.environment} (${where})\n  plan ${status.progress}, asked for by ${view.requested_by}`;
}

function statusLine({ view, status }: Now): string {
  const weight = status.weight_percent === null || status.weight_percent === 0 ? "" : ` at ${status.weight_percent}%`;
  const reason = view.reason === null ? "" : `: ${view.reason}`;
  const verified = view.status === "SUCCEEDED" && view.verified ? ", verified" : "";
  return `${view.status}${weight}${verified}${reason}`;
}

function regionLines(told: Told, next: Told): string[] {
  return Object.entries(next.regions).flatMap(([name, reason]) => {
    const before = told.regions[name] ?? "";
    if (reason === before) return [];
    return [`  ${name}: ${reason === "" ? "answers again" : reason}`];
  });
}

/** The evidence so far, and how much is missing. */
function evidenceOf(status: DeploymentStatusView): string {
  if (status.verdict === null || !underJudgement.has(status.status)) return "";
  const { requests_needed: needed, sentence, verdict } = status;
  // The sentence of a NONE mostly says itself how many are missing.
  const said = /\bmore canary requests\b/.test(sentence ?? "");
  const missing = needed === null || needed <= 0 || said ? "" : `; about ${needed} more canary requests needed`;
  return `evidence: ${sentence === null ? verdict : `${verdict}: ${sentence}`}${missing}`;
}

const underJudgement: ReadonlySet<string> = new Set(["CANARY_MONITORING", "ROLLING_OUT", "AWAITING_APPROVAL", "HELD"]);

function halved(before: number | null, now: number | null): boolean {
  if (before === null || now === null) return before !== now;
  return now <= before / 2 && now !== before;
}

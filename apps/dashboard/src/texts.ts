import type { DeploymentStatus, Judgement, PageFocus } from "@slipway/contracts";

export function clockTime(at: string): string {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function count(n: number): string {
  return n.toLocaleString("en");
}

/** `3.1%`; `0%` and `100%` without a fraction. */
export function percentOf(part: number, whole: number): string {
  if (whole === 0) return "–";
  return `${Math.round((part / whole) * 1_000) / 10}%`;
}

export type Tone = "good" | "bad" | "busy" | "warn" | "quiet";

const tones: Partial<Record<DeploymentStatus, Tone>> = {
  SUCCEEDED: "good",
  ROLLED_BACK: "bad",
  ROLLING_BACK: "bad",
  FAILED: "bad",
  HELD: "warn",
  AWAITING_APPROVAL: "warn",
  CANCELLED: "quiet",
  SUPERSEDED: "quiet",
};

export function toneOf(status: DeploymentStatus): Tone {
  return tones[status] ?? "busy";
}

/** `CANARY_MONITORING` as people say it. */
export function spoken(status: string): string {
  const words = status.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A line of the platform's, its statuses as people say them. */
export function inWords(line: string): string {
  return line.replaceAll(/\b([A-Z]{4,}|[A-Z]{2,}(_[A-Z]+)+)\b/g, (word) => {
    if (word === "NONE") return "no verdict";
    return word === "PASS" || word === "FAIL" ? word : spoken(word).toLowerCase();
  });
}

/** Why a version that serves counts as proven, of a deployment under way; nothing where it does not. */
export function provenText({ proven, under_way, deployment }: PageFocus): string {
  if (!proven || !under_way) return "";
  if (deployment.initial) return " (a first version: nothing served before it)";
  if (deployment.rolls_back !== null) return " (this one served before)";
  const passed = deployment.gates.find(({ verdict }) => verdict === "PASS");
  return passed === undefined ? " (this one was proven before)" : ` (this one passed at ${passed.weight_percent}%)`;
}

/**
 * The judge's word as people say it. NONE is none yet, where one is still to come; nothing is said where nothing is compared, or it is over
 * and none came.
 */
export function verdictText(verdict: Judgement["verdict"], { under_way, deployment }: Judged): string | undefined {
  if (verdict !== "NONE") return verdict;
  return under_way && !deployment.initial && deployment.rolls_back === null ? "No verdict yet" : undefined;
}

type Judged = Pick<PageFocus, "under_way"> & {
  readonly deployment: Pick<PageFocus["deployment"], "initial" | "rolls_back">;
};

/** `12 s`, `3 min`, `2 h`. */
export function since(at: string, now: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(now) - Date.parse(at)) / 1_000));
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3_600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3_600)} h`;
}

/** The buttons change one service, the page shows whichever moves: said where these are two. */
export function shippedElsewhere(ships: string, shown: string | undefined): string | undefined {
  return shown === undefined || shown === ships
    ? undefined
    : `The page shows ${shown}; the Ship buttons change ${ships}, the example, and nothing else.`;
}

type Deployment = { readonly deployment_id: string; readonly service: string; readonly environment: string };

/** What is under way and was not shipped from this page. What is shipped here ends in prod. */
export function otherOnItsWay({ deployment_id: id, service, environment }: Deployment, shipped: string): string {
  const turn = service === shipped && environment === "prod" ? " A change shipped now waits for its turn." : "";
  return `${id} is on its way, and was not shipped from this page.${turn}`;
}

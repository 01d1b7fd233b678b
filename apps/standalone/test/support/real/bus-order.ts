export type Kind = { readonly type: string; readonly subject: string };

/** Kind and subject of each event that `slipway events` has printed, in its order. */
export function kinds(printed: string): readonly Kind[] {
  return printed
    .trim()
    .split("\n")
    .map((line) => line.split(/ +/))
    .map(([, type = "", subject = ""]) => ({ type, subject }));
}

/** What must come one after the other about one subject, wherever its first is there. */
const orders: readonly (readonly string[])[] = [
  ["build.queued", "build.started", "build.step_finished", "build.succeeded"],
  ["artifact.registered", "artifact.promotion_requested", "artifact.promoted"],
  ["deployment.accepted", "deployment.granted", "watch.armed", "deployment.step_started"],
];

/** Why these events are not the whole run from its first push on, in an order that makes sense; empty where they are. */
export function busIsWhole(events: readonly Kind[]): readonly string[] {
  const problems: string[] = events[0]?.type === "build.queued" ? [] : [`begins with ${events[0]?.type}`];
  const subjects = Map.groupBy(events, ({ subject }) => subject);
  for (const order of orders) {
    const about = [...subjects].filter(([, own]) => own[0]?.type === order[0]);
    if (about.length < 3) problems.push(`${about.length} subjects with ${order[0]}`);
    for (const [subject, own] of about) {
      // Who halts a deployment may be quicker than its first step.
      const halted = own.some(({ type }) => type === "deployment.held");
      const at = (halted ? order.slice(0, -1) : order).map((type) => own.findIndex((event) => event.type === type));
      if (at.some((place, i) => place < 0 || place <= (at[i - 1] ?? -1)))
        problems.push(`${subject}: ${own.map(({ type }) => type).join(" ")}`);
    }
  }
  for (const type of ["watch.failed", "watch.shut_confirmed", "deployment.rolled_back", "notification.delivered"])
    if (!events.some((event) => event.type === type)) problems.push(`no ${type}`);
  return problems;
}

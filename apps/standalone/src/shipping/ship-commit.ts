import type { ShipChange } from "@slipway/contracts";
import type { Commit } from "../story/working-copy.ts";

const subjects: Record<ShipChange, string> = {
  good: "feat: count the orders answered",
  bad: "feat: read the stock before answering",
  slow: "feat: check the price before answering",
  crash: "feat: keep the stock in memory",
};

/** The commit of a change that a button ships. `number` makes each one another commit and another image. */
export function shipCommit(what: ShipChange, number: number): Commit {
  return { subject: `${subjects[what]} (shipped ${number})`, behaviour: { change: what, release: `p.${number}` } };
}

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { type DeploymentView, ShipChange } from "@slipway/contracts";
import { z } from "zod";
import { Change } from "../story/state.ts";

const rememberedOutcomes = 50;

const ShipState = z.object({
  /** Counts the changes that were shipped from here: part of each one's text, so that no two have one image. */
  number: z.number().int().nonnegative(),
  underWay: z.object({ what: ShipChange, since: z.string(), record: Change }).nullable(),
  /** One sentence per deployment whose requests were counted, and the end that it tells of. */
  outcomes: z.record(z.string(), z.object({ status: z.string(), sentence: z.string() })),
});
export type ShipState = z.infer<typeof ShipState>;

type Ended = Pick<DeploymentView, "deployment_id" | "status">;

export type ShipFile = {
  state: ShipState;
  save(): void;
  /** Keeps the sentence of a deployment that has ended; the oldest are forgotten. */
  noteOutcome(ended: Ended, sentence: string): void;
  /** Undefined where it was not counted, or has ended otherwise since. */
  outcomeOf(ended: Ended): string | undefined;
};

/** What is shipped now and how earlier ones ended. Saved after every step, so that a killed platform goes on where it was. */
export function openShips(file: string): ShipFile {
  const state: ShipState = existsSync(file)
    ? ShipState.parse(JSON.parse(readFileSync(file, "utf8")))
    : { number: 0, underWay: null, outcomes: {} };
  const save = () => {
    writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
  };
  return {
    state,
    save,
    noteOutcome({ deployment_id, status }, sentence) {
      const kept = Object.entries({ ...state.outcomes, [deployment_id]: { status, sentence } }).slice(
        -rememberedOutcomes,
      );
      state.outcomes = Object.fromEntries(kept);
      save();
    },
    outcomeOf({ deployment_id, status }) {
      const known = state.outcomes[deployment_id];
      return known?.status === status ? known.sentence : undefined;
    },
  };
}

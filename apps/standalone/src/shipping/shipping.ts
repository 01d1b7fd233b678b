import { join } from "node:path";
import {
  type DeploymentView,
  type PageShipping,
  ProblemError,
  rollbackDeployment,
  type ShipChange,
} from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import type { Stack } from "../stack.ts";
import { promoteToProd, pushAndBuild } from "../story/building.ts";
import { type OnItsWay, serviceName, type Telling, type Work } from "../story/context.ts";
import { deploy } from "../story/deploying.ts";
import { firstVersion } from "../story/first-version.ts";
import { openWork, type WorkInput } from "../story/prepare.ts";
import { type Change, openStory } from "../story/state.ts";
import { readLoad, servedWeight } from "../story/traffic.ts";
import { outcomeOf } from "./outcome.ts";
import { type Said, said } from "./said.ts";
import { shipCommit } from "./ship-commit.ts";
import { openShips, type ShipFile, type ShipState } from "./ship-state.ts";

/** Ships one change at a time as a developer would: commit, push, build, promotions by two people, canary. */
export type Shipping = {
  /** Begins a change and returns at once. Throws change.under_way while another one or the story is. */
  begin(what: ShipChange): void;
  /** Finishes what a killed platform had begun. */
  resume(): Promise<void>;
  /** Takes a deployment back, as the deployer. */
  rollBack(id: DeploymentId): Promise<void>;
  /** Keeps the buttons shut while something else works in the working copy. */
  during<T>(what: string, work: () => Promise<T>): Promise<T>;
  noteEnded(view: DeploymentView, change: Change): Promise<void>;
  /** What is known of how it ended, as long as that is still its end. */
  outcome(view: DeploymentView): string | null;
  view(): PageShipping;
};

/** The load process writes its counts five times a second. */
const countsWrittenMs = 600;

type Underway = NonNullable<ShipState["underWay"]>;

export function openShipping(input: WorkInput, onChange: () => void): Shipping {
  const { stack, options, log } = input;
  const file = openShips(join(options.dataDir, "story", "ships.json"));
  const lines = said(input.tell, onChange);
  let busy: PageShipping["busy"] = null;

  const setBusy = (next: PageShipping["busy"]) => {
    busy = next;
    onChange();
  };

  async function run(underWay: Underway): Promise<void> {
    lines.clear();
    setBusy({ what: sentences[underWay.what], by: "this page", since: underWay.since });
    try {
      const view = await shipOne({ ...input, tell: lines }, lines, onItsWay(file, underWay));
      await noteEnded(view, underWay.record);
      lines.line(`${view.deployment_id} ${view.status}: ${file.outcomeOf(view) ?? view.reason}`);
    } catch (error) {
      lines.line(`It broke off: ${error instanceof Error ? error.message : String(error)}`);
      log.warn({ err: error, change: underWay.what }, "a change could not be shipped");
    }
    // A platform that stops leaves the change under way: the next one goes on with it.
    if (input.signal.aborted) return;
    await endTraffic();
    file.state.underWay = null;
    file.save();
    setBusy(null);
  }

  /** Requests are sent for a change under way, and for nothing else: the next one begins with its own. */
  async function endTraffic(): Promise<void> {
    await stack.supervisor
      .end("load")
      .catch((err: unknown) => log.warn({ err }, "the load process could not be ended"));
  }

  const noteEnded = noteEndedIn(stack, file);
  return {
    begin(what) {
      if (busy !== null) {
        throw new ProblemError("change.under_way", `${busy.what} is on its way since ${busy.since}.`, {
          remedy: "Wait for its end, or roll it back.",
        });
      }
      file.state.number += 1;
      file.state.underWay = { what, since: new Date().toISOString(), record: {} };
      file.save();
      void run(file.state.underWay);
    },
    async resume() {
      if (file.state.underWay !== null) await run(file.state.underWay);
      // What a killed platform left goes on with the story, and with nothing where none is told.
      else if (options.noStory) await endTraffic();
    },
    async rollBack(id) {
      const body = { reason: "rolled back by deployer on the page" };
      await stack
        .as("deployer")
        .call(rollbackDeployment, { params: { id }, body, idempotencyKey: `page-rollback-${id}` });
    },
    async during(what, work) {
      setBusy({ what, by: "npm start", since: new Date().toISOString() });
      try {
        return await work();
      } finally {
        setBusy(null);
      }
    },
    noteEnded,
    outcome: (view) => file.outcomeOf(view) ?? null,
    view: () => ({ service: serviceName, busy, said: [...lines.lines] }),
  };
}

function onItsWay(file: ShipFile, { what, record }: Underway): (work: Pick<Work, "copy">) => OnItsWay {
  const { number } = file.state;
  return ({ copy }) => ({
    record,
    save: () => file.save(),
    commit: () => copy.commit(shipCommit(what, number)),
    key: `ship-${number}`,
    initial: false,
  });
}

function noteEndedIn(stack: Stack, file: ShipFile): Shipping["noteEnded"] {
  return async (view, change) => {
    const maxima = await Promise.all(
      stack.layout.regions.map(({ local }) => servedWeight(local?.adminUrl, view.version)),
    );
    const seen = [...maxima.map((served) => served?.max ?? 0), ...Object.values(change.weights ?? {}).flat()];
    const sentence = outcomeOf(view, change, Math.max(0, ...seen));
    if (sentence !== undefined) file.noteOutcome(view, sentence);
  };
}

const sentences: Record<ShipChange, string> = {
  good: "A good change",
  bad: "A change that fails",
  slow: "A change that is slow",
  crash: "A change that crashes",
};

/** From the commit to the end of the deployment. What serves before is brought there first where nothing does. */
async function shipOne(
  input: WorkInput,
  lines: Said,
  change: (work: Pick<Work, "copy">) => OnItsWay,
): Promise<DeploymentView> {
  const file = openStory(join(input.options.dataDir, "story", "story.json"));
  const telling: Telling = { ...input, tell: lines, ...(await openWork(input)), file };
  await firstVersion(telling);
  const own = change(telling);
  const digest = await pushAndBuild(telling, own);
  await promoteToProd(telling, digest);
  const view = await deploy(telling, own, digest);
  await new Promise((resolve) => setTimeout(resolve, countsWrittenMs));
  own.record.after = readLoad(telling.countsFile);
  own.save();
  return view;
}

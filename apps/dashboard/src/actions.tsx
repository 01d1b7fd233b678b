import type { PageSession, PageView, ShipChange } from "@slipway/contracts";
import { useState } from "react";
import { rollBack, ship } from "./platform.ts";
import { since } from "./texts.ts";

const buttons: readonly { readonly change: ShipChange; readonly text: string }[] = [
  { change: "good", text: "Ship a good change" },
  { change: "bad", text: "Ship one that fails" },
  { change: "slow", text: "Ship one that is slow" },
  { change: "crash", text: "Ship one that crashes" },
];

type Props = { readonly view: PageView; readonly may: PageSession["may"]; readonly lost: boolean };

export function Actions({ view, may, lost }: Props) {
  const [refusal, setRefusal] = useState<string>();
  const { busy } = view.shipping;
  const shut = may !== "ship" || lost;
  const act = (work: Promise<void>) => {
    setRefusal(undefined);
    work.catch((error: Error) => setRefusal(error.message));
  };
  const back = view.roll_back;
  return (
    <section className="actions" aria-label="Ship">
      <div className="buttons">
        {buttons.map(({ change, text }) => (
          <button
            key={change}
            type="button"
            className={change === "good" ? "main" : ""}
            disabled={shut || busy !== null}
            onClick={() => act(ship(change))}
          >
            {text}
          </button>
        ))}
        <button
          type="button"
          className="back"
          disabled={shut || back === null}
          onClick={() => back !== null && act(rollBack(back))}
        >
          {back === null ? "Roll back" : `Roll back ${back}`}
        </button>
      </div>
      <p className="refusal" role="alert">
        {refusal}
      </p>
      {may === "look" && <p className="hint">This session may look; shipping takes a deployer's token.</p>}
      <p className="doing" role="status" aria-live="polite">
        {doing(view)}
      </p>
    </section>
  );
}

function doing({ shipping: { busy, said }, at }: PageView): string {
  // What it waits for stands beside it, and is newer.
  const last = said.at(-1)?.replace(/, waiting for .*/, "") ?? "";
  if (busy !== null) return `${busy.what} is on its way (${busy.by}, ${since(busy.since, at)}). ${last}`;
  return last === "" ? "Nothing is on its way. A button commits a change to the example service and ships it." : last;
}

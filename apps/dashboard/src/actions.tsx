import type { PageSession, PageView, ShipChange } from "@slipway/contracts";
import { type ReactNode, useState } from "react";
import { rollBack, ship } from "./platform.ts";
import { inWords, otherOnItsWay, shippedElsewhere, since } from "./texts.ts";

const buttons: readonly { readonly change: ShipChange; readonly text: string }[] = [
  { change: "good", text: "Ship a good change" },
  { change: "bad", text: "Ship one that fails" },
  { change: "slow", text: "Ship one that is slow" },
  { change: "crash", text: "Ship one that crashes" },
];

type Props = { readonly view: PageView; readonly may: PageSession["may"]; readonly lost: boolean };

export function Actions({ view, may, lost }: Props) {
  const [refusal, setRefusal] = useState<string>();
  const { busy, service } = view.shipping;
  const elsewhere = shippedElsewhere(service, view.focus?.deployment.service);
  const shut = may !== "ship" || lost;
  const act = (work: Promise<void>) => {
    setRefusal(undefined);
    work.catch((error: Error) => setRefusal(error.message));
  };
  const back = view.roll_back;
  return (
    <section className="actions" aria-label={`Ship changes of ${service}`}>
      <div className="buttons">
        <span className="ships">{service}:</span>
        {buttons.map(({ change, text }) => (
          <Button
            key={change}
            className={change === "good" ? "main" : ""}
            shut={shut || busy !== null}
            onPress={() => act(ship(change))}
          >
            {text}
          </Button>
        ))}
        <Button
          className="back"
          shut={shut || back === null}
          onPress={() => {
            if (back !== null) act(rollBack(back));
          }}
        >
          {back === null ? "Roll back" : `Roll back ${back}`}
        </Button>
      </div>
      <p className="refusal" role="alert">
        {refusal}
      </p>
      {elsewhere !== undefined && <p className="hint">{elsewhere}</p>}
      {may === "look" && <p className="hint">This session may look; shipping takes a deployer's token.</p>}
      <p className="doing" role="status" aria-live="polite">
        {doing(view)}
      </p>
    </section>
  );
}

type ButtonProps = {
  readonly className: string;
  readonly shut: boolean;
  readonly onPress: () => void;
  readonly children: ReactNode;
};

/** A button that is shut keeps the keyboard's focus: who has just pressed it does not have to start from the top of the page again. */
function Button({ className, shut, onPress, children }: ButtonProps) {
  const press = () => {
    if (!shut) onPress();
  };
  return (
    <button type="button" className={className} aria-disabled={shut} onClick={press}>
      {children}
    </button>
  );
}

function doing({ shipping: { busy, said, service }, focus, at }: PageView): string {
  // What it waits for stands beside it, and is newer.
  const words = inWords(said.at(-1)?.replace(/, waiting for .*/, "") ?? "");
  const last = words.charAt(0).toUpperCase() + words.slice(1);
  if (busy !== null) return `${busy.what} is on its way (${busy.by}, ${since(busy.since, at)}). ${last}`;
  if (focus?.under_way === true) return otherOnItsWay(focus.deployment, service);
  return last === "" ? "Nothing is on its way. A button commits a change to the example service and ships it." : last;
}

import type { PageDeployment, PageView } from "@slipway/contracts";
import { clockTime, spoken, toneOf } from "./texts.ts";

export function Recent({ recent }: { readonly recent: readonly PageDeployment[] }) {
  return (
    <section aria-labelledby="recent" className="at-recent">
      <h2 id="recent">Recent deployments</h2>
      {recent.length === 0 && <p className="hint">None yet.</p>}
      <ul className="recent">
        {recent.map((own) => (
          <li key={own.deployment_id}>
            <span className="line">
              <b>{own.deployment_id}</b>
              <span>
                <code>{own.version}</code> to {own.environment}
                {own.rolls_back === null ? "" : ` (takes ${own.rolls_back} back)`}
              </span>
              <span className={`pill ${toneOf(own.status)}`}>{spoken(own.status)}</span>
              <time dateTime={own.at}>{clockTime(own.at)}</time>
            </span>
            {(own.outcome ?? own.reason) !== null && <span className="hint">{own.outcome ?? own.reason}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Notifications({ notifications }: { readonly notifications: PageView["notifications"] }) {
  return (
    <section aria-labelledby="notifications" className="at-notifications">
      <h2 id="notifications">Notifications</h2>
      {notifications.length === 0 && <p className="hint">None yet.</p>}
      <ul className="recent">
        {notifications.map(({ id, title, text, at, settled }) => (
          <li key={id} className={settled === null ? "" : "settled"}>
            <span className="line">
              <b className="title">{title}</b>
              <time dateTime={at}>{clockTime(at)}</time>
            </span>
            {settled === null ? <Text text={text} /> : <span className="hint">Done: {settled}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Its first line; what can be done by hand, where it says so, behind a click. */
function Text({ text }: { readonly text: string }) {
  const [first, ...commands] = text.split("\n").filter((line) => line.trim() !== "");
  return (
    <>
      <span className="hint">{first}</span>
      {commands.length > 0 && (
        <details>
          <summary>By hand, with Slipway down</summary>
          {commands.map((command) => (
            <p key={command}>
              <code>{command}</code>
            </p>
          ))}
        </details>
      )}
    </>
  );
}

import type { PageView } from "@slipway/contracts";
import { clockTime } from "./texts.ts";

type Wait = {
  readonly who: string;
  /** What it waits for is why somebody or something holds it. */
  readonly held?: boolean;
  readonly for: string;
  readonly holder?: string | undefined;
  readonly since: string;
  readonly unblockedBy: string;
};

/** What waits, for whom, since when, and what would let it go on. */
export function Waiting({ view }: { readonly view: PageView }) {
  const waits = waitsOf(view);
  return (
    <section aria-labelledby="waiting" className="at-waiting">
      <h2 id="waiting">Waiting</h2>
      {view.observed.length > 0 && (
        <p className="refusal">
          The database is older than its regions, so that these are only observed: {view.observed.join("; ")}. An admin
          goes on with <code>slipway restore accept</code>.
        </p>
      )}
      {waits.length === 0 && view.missing.length === 0 && view.observed.length === 0 && (
        <p className="hint">Nothing waits.</p>
      )}
      {waits.map((wait) => (
        <dl key={wait.who} className="wait">
          <dt>{wait.who} waits for</dt>
          <dd>{wait.held === true ? `the end of what holds it: ${wait.for}` : wait.for}</dd>
          <dt>held by</dt>
          <dd>{wait.holder ?? "nobody"}</dd>
          <dt>since</dt>
          <dd>{clockTime(wait.since)}</dd>
          <dt>goes on when</dt>
          <dd>{readable(wait.unblockedBy)}</dd>
        </dl>
      ))}
      {view.missing.length > 0 && <p className="refusal">Not readable just now: {view.missing.join(", ")}.</p>}
    </section>
  );
}

/** The deployment in front, what it waits for itself, then what is built. */
function waitsOf({ focus, recent, build }: PageView): readonly Wait[] {
  const waits: Wait[] = [];
  const own = focus?.deployment.waiting;
  if (focus !== null && own != null)
    waits.push({ who: focus.deployment.deployment_id, held: focus.deployment.status === "HELD", ...own });
  for (const { deployment_id, status, waiting } of recent)
    if (waiting !== null && deployment_id !== focus?.deployment.deployment_id)
      waits.push({ who: deployment_id, held: status === "HELD", ...waiting });
  if (build?.view.waiting != null) waits.push({ who: build.view.build_id, ...build.view.waiting });
  return waits;
}

/** Instants inside a sentence as times of the day. */
function readable(text: string): string {
  return text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (at) => clockTime(at));
}

import { createHash } from "node:crypto";
import type { Notice } from "./domain/notice.ts";

export type Entry = {
  readonly notice: Notice;
  readonly state: "pending" | "delivered" | "failed";
  readonly channel: string;
  readonly attempts: number;
  readonly lastReason: string | null;
  readonly createdAt: string;
  readonly settled: string | null;
  readonly settledAt: string | null;
};

const style = `
:root { color-scheme: light dark; --bar: #8a8f98; --soft: color-mix(in srgb, currentColor 12%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 0; } p { margin: .4rem 0; }
article { border-left: .35rem solid var(--bar); padding: .3rem 0 .3rem 1rem; margin: 1.5rem 0; }
.problem { --bar: #d13438; } .attention { --bar: #c98a00; } .good { --bar: #2f9e44; }
.settled { --bar: #8a8f98; } .settled > p:not(.done), .settled > dl { opacity: .65; }
time, .state { font-size: .85rem; opacity: .75; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: .4rem 0; font-size: .9rem; }
dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--soft); border-radius: .3rem; padding: .6rem; overflow-x: auto; font-size: .8rem; }
`;

/** Nothing but the page's own style may be loaded or run. */
export const inboxPolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The notifications as a page, newest first. Every text in it is escaped. */
export function inboxPage(entries: readonly Entry[]): string {
  const list = entries.length === 0 ? "<p>Nothing has happened yet.</p>" : entries.map(article).join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="15"><title>Slipway inbox</title><style>${style}</style></head>
<body><h1>Slipway inbox</h1>
${list}
</body></html>
`;
}

function article(entry: Entry): string {
  const { notice, createdAt } = entry;
  const facts = notice.facts.map(({ name, value }) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`);
  const byHand =
    notice.byHand === undefined
      ? ""
      : `<details><summary>${escaped(notice.byHand.why)}</summary><pre>${escaped(notice.byHand.lines.join("\n"))}</pre></details>`;
  const severity = entry.settled === null ? notice.severity : "settled";
  return `<article id="${escaped(notice.about)}" class="${escaped(severity)}">
<h2>${escaped(notice.title)}</h2><time datetime="${escaped(createdAt)}">${escaped(createdAt)}</time>${done(entry)}
<p>${escaped(notice.text)}</p>${facts.length === 0 ? "" : `<dl>${facts.join("")}</dl>`}${byHand}${state(entry)}
</article>`;
}

/** What was asked for is decided: said before it. */
function done({ settled, settledAt }: Entry): string {
  if (settled === null || settledAt === null) return "";
  const when = `<time datetime="${escaped(settledAt)}">${escaped(settledAt)}</time>`;
  return `<p class="done"><strong>Done: ${escaped(settled)}</strong> ${when}</p>`;
}

function state({ channel, state, attempts, lastReason }: Entry): string {
  if (channel === "inbox") return "";
  const why = lastReason === null || state === "delivered" ? "" : `: ${lastReason}`;
  return `<p class="state">${escaped(`${channel}: ${state} after ${attempts} attempt${attempts === 1 ? "" : "s"}${why}`)}</p>`;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

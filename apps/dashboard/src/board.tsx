import type { PageSession } from "@slipway/contracts";
import { Actions } from "./actions.tsx";
import { BuildLog } from "./build-log.tsx";
import { Focus } from "./focus.tsx";
import { Notifications, Recent } from "./lists.tsx";
import { Regions } from "./regions.tsx";
import { clockTime } from "./texts.ts";
import { type Live, usePage } from "./use-page.ts";
import { Waiting } from "./waiting.tsx";

type Props = { readonly may: PageSession["may"]; readonly onRefused: () => void };

/** The whole page of somebody who is signed in. */
export function Board({ may, onRefused }: Props) {
  const live = usePage(onRefused);
  const { view } = live;
  return (
    <>
      <header className="top">
        <h1>Slipway</h1>
        <Connection live={live} />
        <nav aria-label="More of this platform">
          <a href="/docs">API</a>
          <a href="/page/inbox">Inbox</a>
          <a href="/readyz">Health</a>
        </nav>
      </header>
      {view === undefined ? (
        <main aria-busy="true" />
      ) : (
        <main className={live.lostSince === undefined ? "board" : "board stale"}>
          <Actions view={view} may={may} lost={live.lostSince !== undefined} />
          <div className="column">
            <Focus focus={view.focus} recent={view.recent} />
            <Waiting view={view} />
            <Notifications notifications={view.notifications} />
          </div>
          <div className="column">
            <Regions regions={view.regions} focus={view.focus} />
            <BuildLog build={view.build} />
            <Recent recent={view.recent} />
          </div>
        </main>
      )}
    </>
  );
}

function Connection({ live }: { readonly live: Live }) {
  const { view, lostSince } = live;
  if (lostSince !== undefined) {
    return (
      <p className="connection lost" role="status">
        Connection lost since {clockTime(lostSince.toISOString())}: trying again
      </p>
    );
  }
  return (
    <p className="connection" role="status">
      {view === undefined ? "Connecting" : "Live"}
    </p>
  );
}

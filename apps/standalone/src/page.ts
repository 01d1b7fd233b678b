import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DeploymentView } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import { request } from "undici";
import { openFeed } from "./page/feed.ts";
import { type PageWorld, pageRoutes } from "./page/routes.ts";
import { openSessions } from "./page/sessions.ts";
import { readPage } from "./page/static-files.ts";
import { openShipping } from "./shipping/shipping.ts";
import type { Stack } from "./stack.ts";
import type { WorkInput } from "./story/prepare.ts";
import type { Change } from "./story/state.ts";

/** The live page: its routes are there from the first moment on, what stands behind it once everything runs. */
export type LivePage = {
  routes(app: ServiceApp): void;
  /** Gives it the platform that runs, and finishes a change that an earlier one had begun. */
  open(input: WorkInput): Promise<void>;
  /** The page's address with a code that signs one browser in. */
  address(url: string): string;
  /** Keeps the buttons shut while the story is told. */
  during<T>(what: string, work: () => Promise<T>): Promise<T>;
  noteEnded(view: DeploymentView, change: Change): Promise<void>;
  stop(): void;
};

/** As a viewer sees it. What it says of itself goes with it: its policy lets nothing run. */
async function readInbox({ url, tokenFile }: Stack): Promise<Awaited<ReturnType<PageWorld["inbox"]>>> {
  const authorization = `Bearer ${readFileSync(tokenFile("viewer"), "utf8").trim()}`;
  const answer = await request(`${url}/inbox`, { headers: { authorization } });
  const kept = ["content-type", "content-security-policy", "cache-control", "x-content-type-options"];
  const headers = Object.fromEntries(kept.map((name) => [name, String(answer.headers[name] ?? "")]));
  return { status: answer.statusCode, headers, text: await answer.body.text() };
}

/** `entry`: the program that runs; the built page lies beside it. */
export function livePage(dataDir: string, entry: string): LivePage {
  const sessions = openSessions(join(dataDir, "page-key"), Date.now);
  const files = readPage(join(dirname(entry), "page"));
  const state: { world?: PageWorld } = {};
  const world = () => {
    if (state.world === undefined) throw new Error("the page was not opened");
    return state.world;
  };
  return {
    routes: (app) => pageRoutes(app, { files, sessions, world: () => state.world }),
    async open(input) {
      const opened: { feed?: ReturnType<typeof openFeed> } = {};
      const shipping = openShipping(input, () => opened.feed?.nudge());
      const { stack } = input;
      opened.feed = openFeed({
        client: stack.as("viewer"),
        layout: stack.layout,
        outcome: shipping.outcome,
        shipping: () => shipping.view(),
      });
      state.world = { feed: opened.feed, shipping, inbox: () => readInbox(stack) };
      await shipping.resume();
    },
    address: (url) => `${url}/#code=${sessions.code()}`,
    during: (what, work) => world().shipping.during(what, work),
    noteEnded: (view, change) => world().shipping.noteEnded(view, change),
    stop: () => state.world?.feed.stop(),
  };
}

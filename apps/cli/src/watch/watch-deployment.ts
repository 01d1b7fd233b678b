import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "@slipway/client";
import {
  type DeploymentStatusView,
  type DeploymentView,
  endedStatuses,
  getDeployment,
  getDeploymentStatus,
  ProblemError,
} from "@slipway/contracts";
import type { Command } from "commander";
import { exitCodeOfStatus } from "../exit-codes.ts";
import type { DeploymentId } from "../ids.ts";
import { note } from "../note.ts";
import { wantsJson } from "../output.ts";
import { headLine, nothingTold, watchLines } from "./watch-lines.ts";

const lookMs = 1_000;
const giveUpAfterMs = 10 * 60_000;

type Now = { readonly view: DeploymentView; readonly status: DeploymentStatusView };
type Teller = { tell(now: Now): void; end(): void };

/**
 * Follows a deployment to its end, which sets the exit code. Says when the platform does not answer and when it does again, and throws
 * `unavailable` once it has been away for ten minutes.
 */
export async function watchDeployment(root: Command, client: Client, id: DeploymentId): Promise<void> {
  const teller = wantsJson(root) ? jsonTeller() : textTeller();
  let awaySince: number | undefined;
  try {
    for (;;) {
      const now = await look(client, id).catch((error: unknown) => {
        if (!(error instanceof ProblemError) || error.status < 500) throw error;
        if (awaySince === undefined)
          note(
            `${clock()}  The platform does not answer (${error.message}). Trying again; the deployment does not depend on this.`,
          );
        awaySince ??= performance.now();
        if (performance.now() - awaySince > giveUpAfterMs) throw error;
        return undefined;
      });
      if (now !== undefined) {
        if (awaySince !== undefined) note(`${clock()}  It answers again.`);
        awaySince = undefined;
        teller.tell(now);
        if (endedStatuses.has(now.view.status)) {
          process.exitCode = exitCodeOfStatus(now.view.status);
          return;
        }
      }
      await pause(lookMs);
    }
  } finally {
    teller.end();
  }
}

async function look(client: Client, id: DeploymentId): Promise<Now> {
  const [view, status] = await Promise.all([
    client.call(getDeployment, { params: { id }, timeoutMs: 5_000 }),
    client.call(getDeploymentStatus, { params: { id }, timeoutMs: 5_000 }),
  ]);
  return { view, status };
}

/** One line per change, each the status document. */
function jsonTeller(): Teller {
  let last = "";
  return {
    tell({ status }) {
      const text = JSON.stringify(status);
      if (text !== last) process.stdout.write(`${text}\n`);
      last = text;
    },
    end: () => undefined,
  };
}

/** Lines for what has changed; in a terminal the evidence stands below them and is written over. */
function textTeller(): Teller {
  const { stdout } = process;
  let told = nothingTold;
  let shown = "";
  const wipe = (): void => {
    if (shown !== "") stdout.write("\r\u001b[2K");
    shown = "";
  };
  return {
    tell(now) {
      const news = watchLines(told, now);
      if (told === nothingTold) stdout.write(`${headLine(now)}\n`);
      told = news.told;
      if (news.lines.length > 0) wipe();
      for (const line of news.lines) stdout.write(`${clock()}  ${line}\n`);
      if (!stdout.isTTY || endedStatuses.has(now.view.status)) return;
      wipe();
      shown = news.live.slice(0, Math.max(0, stdout.columns - 12));
      if (shown !== "") stdout.write(`          ${shown}`);
    },
    end: wipe,
  };
}

function clock(): string {
  return new Date().toLocaleTimeString("en-GB");
}

import { appendFileSync, writeSync } from "node:fs";
import { createDurable } from "../../packages/durable/src/index.ts";
import { openDb, silentLogger } from "../../packages/sql/src/index.ts";
import { type KilledCommand, killable } from "./killable.ts";

/**
 * A worker that is killed: `takeover-worker.ts <url> <schema> <effects file>`. A command that holds never ends at its first attempt; all others note
 * their effect in the file under their own key, as the far side would see it, and take a moment.
 */
const [url = "", schema = "", effects = ""] = process.argv.slice(2);
const momentMs = 3;

const machine = killable(async (command: KilledCommand, { commandId, attempt }) => {
  if (command.holds && attempt === 1) {
    writeSync(1, `holding ${command.tag}\n`);
    return await new Promise<never>(() => {});
  }
  appendFileSync(effects, `${commandId} ${command.tag} ${Date.now()}\n`);
  await new Promise((resolve) => setTimeout(resolve, momentMs));
  return { kind: "fact", fact: () => ({ type: "done", tag: command.tag }) };
});
const db = openDb<Record<string, never>>({ url, schema });
const durable = createDurable({ db, url, machines: [machine], log: silentLogger });
await durable.start();
writeSync(1, "started\n");

import { appendFileSync, writeSync } from "node:fs";
import { createDurable } from "@slipway/durable";
import { openDb, silentLogger } from "@slipway/sql";
import { note, type Perform, tape } from "./tape.ts";

/**
 * A worker that a test kills: `worker-process.ts <url> <schema> <effects file> <where to hang>`. It says `hanging` on standard
 * output when it has come to that place, and its effect is a line in the file.
 */
const [url = "", schema = "", effects = "", place = ""] = process.argv.slice(2);

function hangHere(): void {
  writeSync(1, "hanging\n");
  // Blocks the whole process, as one that is stopped or starved: no heartbeat, no rollback, no goodbye.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const perform: Perform = async (command, ctx) => {
  if (place === "before-effect") hangHere();
  appendFileSync(effects, `${ctx.commandId} ${command.tag}\n`);
  if (place === "after-effect") hangHere();
  return {
    kind: "fact",
    fact: (now) => {
      if (place === "while-recording") hangHere();
      return note(command.tag)(now);
    },
  };
};

const db = openDb<Record<string, never>>({ url, schema });
const durable = createDurable({ db, url, machines: [tape(perform)], log: silentLogger });
await durable.start();
writeSync(1, "started\n");

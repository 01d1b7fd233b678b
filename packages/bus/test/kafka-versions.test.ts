import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { silentLogger } from "@slipway/sql";
import { freshName, kafka010, type ScriptedKafka, startScriptedKafka, testEvent } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bus, kafkaBus } from "../src/index.ts";

let old: ScriptedKafka;
let bus: Bus;
beforeAll(async () => {
  old = await startScriptedKafka(kafka010);
  bus = kafkaBus({ url: `kafka://127.0.0.1:${old.port}`, log: silentLogger });
});
afterAll(async () => {
  await bus.close();
  await old.stop();
});

test("a broker that is too old is told by readiness, with what it does not speak and what to do", async () => {
  expect(await bus.ready()).toBe(
    `Kafka at 127.0.0.1:${old.port} is too old (it speaks Produce up to version 2, not 3): upgrade it to 0.11 or newer, or name another in SLIPWAY_BUS_URL`,
  );
});

test("what is published to it is refused for the same reason", async () => {
  await expect(bus.publish(freshName("topic"), [testEvent("a", "D-1")])).rejects.toThrow(
    /does not speak what Slipway does \(.*\): upgrade it to 0\.11 or newer/,
  );
});

/** What such a process writes to stderr. */
async function written(before: string): Promise<string> {
  const program = `import { kafkaBus } from "@slipway/bus";
    import { silentLogger } from "@slipway/sql";
    ${before}
    const bus = kafkaBus({ url: process.argv[1], log: silentLogger });
    console.log(await bus.ready());
    await bus.close();`;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@slipway/source", "--input-type=module", "--eval", program, `kafka://127.0.0.1:${old.port}`],
    { cwd: join(import.meta.dirname, ".."), env: { PATH: process.env.PATH ?? "" } },
  );
  expect(stdout).toMatch(/is too old/);
  return stderr;
}

test("a process that works with Kafka writes nothing to stderr, and what others warn of is printed", async () => {
  expect(await written("")).toBe("");
  expect(await written("setTimeout(() => process.emitWarning('mine'), 1);")).toMatch(/Warning: mine/);
  expect(await written("setTimeout(() => undefined, -5);")).toMatch(/TimeoutNegativeWarning: -5 is/);
});

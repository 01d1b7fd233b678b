import type { EnvironmentName, Epoch, RegionName, ServiceName } from "@slipway/kernel";
import type { Acquired, Locks, Target } from "@slipway/lock";
import fc from "fast-check";
import { expect, test } from "vitest";

export type LockWorld = {
  readonly locks: Locks;
  /** The same locks as another process sees them. */
  readonly elsewhere: Locks;
};

let services = 0;

/** Targets in the regions named by single letters, of a service that no other test uses. */
function targetsOf(): (regions: string) => Target[] {
  services += 1;
  const service = `service-${services}` as ServiceName;
  return (regions) =>
    regions.split("").map((region) => ({
      service,
      environment: "prod" as EnvironmentName,
      region: region.toLowerCase() as RegionName,
    }));
}

function epochsOf(acquired: Acquired): Record<string, Epoch> {
  if (acquired.kind !== "granted") throw new Error(`not granted: ${JSON.stringify(acquired)}`);
  return acquired.epochs;
}

const operation = fc.record({
  kind: fc.constantFrom("acquire", "acquire", "preempt", "release", "give back B"),
  holder: fc.integer({ min: 1, max: 4 }),
  regions: fc.constantFrom("AB", "BC", "AC", "ABC", "B"),
});
type Operation = { kind: string; holder: number; regions: string };

/** What every lock must do. All tests share one world; each uses a service of its own. */
export function lockContract(world: () => LockWorld): void {
  sequences(world);
  parts(world);
  laws(world);
}

function sequences(world: () => LockWorld): void {
  test("epochs that were lost with a restored database are skipped, and never come back", async () => {
    const { locks } = world();
    const of = targetsOf();
    const [known, unknown] = of("AB") as [Target, Target];
    expect(epochsOf(await locks.acquire({ holder: "L-skip", targets: [known] }))).toEqual({ a: 1 });
    await locks.release("L-skip");

    await locks.skipTo(known, 7);
    await locks.skipTo(known, 3);
    await locks.skipTo(unknown, 4);

    expect(epochsOf(await locks.acquire({ holder: "L-after", targets: of("AB") }))).toEqual({ a: 8, b: 5 });
    expect(await locks.epochsIn("a" as RegionName)).toContainEqual({ target: known, epoch: 8 });
  });

  test("all targets are granted together, each with an epoch of its own, and asking again changes nothing", async () => {
    const { locks, elsewhere } = world();
    const of = targetsOf();

    const first = await locks.acquire({ holder: "L-1", targets: of("AB") });
    expect(first).toEqual({ kind: "granted", epochs: { a: 1, b: 1 } });
    expect(await elsewhere.acquire({ holder: "L-1", targets: of("BA") })).toEqual(first);

    expect(await locks.acquire({ holder: "L-1", targets: of("B") })).toEqual({ kind: "granted", epochs: { b: 1 } });
    await locks.release("L-1");
  });

  test("who waits says behind whom, keeps its place over repeats, and is served in order", async () => {
    const { locks, elsewhere } = world();
    const of = targetsOf();
    await locks.acquire({ holder: "L-11", targets: of("A") });

    const second = await elsewhere.acquire({ holder: "L-12", targets: of("AB") });
    const third = await locks.acquire({ holder: "L-13", targets: of("B") });
    expect(second).toMatchObject({ kind: "waiting", behind: "L-11" });
    expect(third).toMatchObject({ kind: "waiting", behind: "L-12" });
    expect(await elsewhere.acquire({ holder: "L-12", targets: of("AB") })).toEqual(second);

    const holders = await locks.holders(of("AB"));
    expect(holders.map((one) => [one.holder, one.waiting])).toEqual([
      ["L-11", ["L-12"]],
      [null, ["L-12", "L-13"]],
    ]);

    await elsewhere.release("L-11");
    expect(await locks.acquire({ holder: "L-13", targets: of("B") })).toMatchObject({ behind: "L-12" });
    expect(epochsOf(await locks.acquire({ holder: "L-12", targets: of("AB") }))).toEqual({ a: 2, b: 1 });
    await locks.release("L-12");
    expect(epochsOf(await locks.acquire({ holder: "L-13", targets: of("B") }))).toEqual({ b: 2 });
    await locks.release("L-13");
  });

  test("one that leaves the queue lets those behind it pass", async () => {
    const { locks } = world();
    const of = targetsOf();
    await locks.acquire({ holder: "L-21", targets: of("A") });
    await locks.acquire({ holder: "L-22", targets: of("AB") });
    expect(await locks.acquire({ holder: "L-23", targets: of("B") })).toMatchObject({ kind: "waiting" });

    await locks.release("L-22");

    expect(await locks.acquire({ holder: "L-23", targets: of("B") })).toMatchObject({ kind: "granted" });
  });

  test("a rollback takes its targets at once with new epochs, and the old holder learns it", async () => {
    const { locks, elsewhere } = world();
    const of = targetsOf();
    await locks.acquire({ holder: "L-31", targets: of("AB") });
    await locks.acquire({ holder: "L-32", targets: of("AB") });

    const taken = await elsewhere.acquire({ holder: "L-33", targets: of("A"), preempt: true });

    expect(taken).toEqual({ kind: "granted", epochs: { a: 2 } });
    expect(await locks.lostTo("L-31")).toBe("L-33");
    expect(await locks.acquire({ holder: "L-31", targets: of("AB") })).toEqual({ kind: "lost", to: "L-33" });
    expect(await locks.acquire({ holder: "L-31", targets: of("AB"), preempt: true })).toMatchObject({ kind: "lost" });
    expect(await locks.acquire({ holder: "L-32", targets: of("AB") })).toMatchObject({ behind: "L-33" });

    await locks.release("L-31");
    expect((await locks.holders(of("A")))[0]).toMatchObject({ holder: "L-33", epoch: 2 });
    await locks.release("L-33");
    expect(epochsOf(await locks.acquire({ holder: "L-32", targets: of("AB") }))).toEqual({ a: 3, b: 2 });
  });

  test("a late repeat after giving back is not a new life, unless it is a rollback", async () => {
    const { locks } = world();
    const of = targetsOf();
    await locks.acquire({ holder: "L-41", targets: of("A") });
    await locks.release("L-41");
    await locks.release("L-41");

    expect(await locks.acquire({ holder: "L-41", targets: of("A") })).toEqual({ kind: "lost", to: "L-41" });
    expect((await locks.holders(of("A")))[0]).toMatchObject({ holder: null, epoch: 1 });
    expect(epochsOf(await locks.acquire({ holder: "L-41", targets: of("A"), preempt: true }))).toEqual({ a: 2 });
  });

  test("what cannot be one lock is refused", async () => {
    const { locks } = world();
    const [mine, other] = [targetsOf(), targetsOf()];

    await expect(locks.acquire({ holder: "L-51", targets: [] })).rejects.toThrow(/at least one/);
    await expect(locks.acquire({ holder: "L-51", targets: mine("AA") })).rejects.toThrow(/once/);
    await expect(locks.acquire({ holder: "L-51", targets: [...mine("A"), ...other("B")] })).rejects.toThrow(/one/);
  });

  test("of many that ask at the same moment exactly one holds, and each is served once", async () => {
    const { locks, elsewhere } = world();
    const of = targetsOf();
    const all = Array.from({ length: 12 }, (_, n) => ({ holder: `L-6${n}`, targets: of(n % 2 ? "AB" : "BC") }));

    const epochs: number[] = [];
    for (let left = all; left.length > 0; ) {
      const answers = await Promise.all(left.map((one, n) => (n % 2 ? locks : elsewhere).acquire(one)));
      const now = (await locks.holders(of("B")))[0]!;
      expect(answers.filter((answer) => answer.kind === "granted").length).toBeLessThanOrEqual(1);
      epochs.push(now.epoch);
      await locks.release(now.holder!);
      left = left.filter((one) => one.holder !== now.holder);
    }

    expect(epochs).toEqual(all.map((_, n) => n + 1));
  });
}

function parts(world: () => LockWorld): void {
  test("a part that is given back goes to whoever waits for that alone, and who waits for the rest, too, goes on waiting", async () => {
    const { locks, elsewhere } = world();
    const of = targetsOf();
    await locks.acquire({ holder: "L-71", targets: of("ABC") });
    await locks.acquire({ holder: "L-72", targets: of("AC") });
    await elsewhere.acquire({ holder: "L-73", targets: of("BC") });

    await locks.release("L-71", ["a", "c"] as RegionName[]);
    await locks.release("L-71", ["a", "c"] as RegionName[]);

    expect(epochsOf(await elsewhere.acquire({ holder: "L-72", targets: of("AC") }))).toEqual({ a: 2, c: 2 });
    await locks.release("L-72");
    expect(await locks.acquire({ holder: "L-73", targets: of("BC") })).toMatchObject({ behind: "L-71" });
    expect(await locks.holders(of("AB"))).toMatchObject([
      { holder: null, epoch: 2 },
      { holder: "L-71", epoch: 1, waiting: ["L-73"] },
    ]);
    await locks.release("L-71");
    expect(epochsOf(await elsewhere.acquire({ holder: "L-73", targets: of("BC") }))).toEqual({ b: 2, c: 3 });
  });

  test("who gave a part back and asks again is answered with the rest alone, also once others have that part", async () => {
    const { locks, elsewhere } = world();
    const of = targetsOf();
    await locks.acquire({ holder: "L-81", targets: of("ABC") });
    await elsewhere.release("L-81", ["a" as RegionName]);
    await locks.acquire({ holder: "L-82", targets: of("A") });

    for (const preempt of [false, true]) {
      const again = await locks.acquire({ holder: "L-81", targets: of("ABC"), preempt });
      expect(again).toEqual({ kind: "granted", epochs: { b: 1, c: 1 } });
    }
    await locks.release("L-81", ["a" as RegionName]);

    expect((await locks.holders(of("A")))[0]).toMatchObject({ holder: "L-82", epoch: 2 });
  });

  test("with the last part all is given back", async () => {
    const { locks, elsewhere } = world();
    const of = targetsOf();
    await locks.acquire({ holder: "L-91", targets: of("AB") });

    await locks.release("L-91", ["b" as RegionName]);
    await elsewhere.release("L-91", ["a" as RegionName]);

    expect(await locks.acquire({ holder: "L-91", targets: of("AB") })).toEqual({ kind: "lost", to: "L-91" });
    expect(await locks.holders(of("AB"))).toMatchObject([{ holder: null }, { holder: null }]);
  });

  test("a part of what somebody waits for, or lost, cannot be given back: it waits for all of it, and says to whom it was lost", async () => {
    const { locks } = world();
    const of = targetsOf();
    await locks.acquire({ holder: "L-01", targets: of("AB") });
    await locks.acquire({ holder: "L-02", targets: of("AB") });

    await locks.release("L-02", ["a" as RegionName]);
    await locks.acquire({ holder: "L-03", targets: of("B"), preempt: true });
    await locks.release("L-01", ["a", "b"] as RegionName[]);

    expect(await locks.lostTo("L-01")).toBe("L-03");
    expect((await locks.holders(of("B")))[0]).toMatchObject({ holder: "L-03", waiting: ["L-02"] });
    await locks.release("L-03");
    expect(epochsOf(await locks.acquire({ holder: "L-02", targets: of("AB") }))).toEqual({ a: 2, b: 3 });
  });
}

function laws(world: () => LockWorld): void {
  test("law: whatever is asked at the same time, one holder per target, epochs only grow, nobody is stuck", async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { minLength: 1, maxLength: 3 }), { maxLength: 6 }),
        async (rounds) => {
          run += 1;
          const of = targetsOf();
          const seen = new Map<string, Map<number, string>>();
          for (const round of rounds) {
            await Promise.all(round.map((one, n) => perform(world(), one, n, of, run)));
            await checkTargets(world().locks, of("ABC"), seen);
          }
          await drain(world().locks, of, run);
        },
      ),
      { numRuns: 40 },
    );
  });
}

async function perform(world: LockWorld, one: Operation, n: number, of: (regions: string) => Target[], run: number) {
  const locks = n % 2 ? world.locks : world.elsewhere;
  const holder = `R-${run}-${one.holder}-${one.regions}`;
  if (one.kind === "release") return locks.release(holder);
  if (one.kind === "give back B") return locks.release(holder, ["b" as RegionName]);
  await locks.acquire({ holder, targets: of(one.regions), preempt: one.kind === "preempt" });
}

/** Each epoch of a target belongs to one holder for ever; the newest one never falls. */
async function checkTargets(locks: Locks, targets: Target[], seen: Map<string, Map<number, string>>): Promise<void> {
  for (const { target, epoch, holder } of await locks.holders(targets)) {
    const epochs = seen.get(target.region) ?? new Map<number, string>();
    seen.set(target.region, epochs);
    expect(epoch).toBeGreaterThanOrEqual(Math.max(0, ...epochs.keys()));
    if (holder !== null) {
      expect(epochs.get(epoch) ?? holder).toBe(holder);
      epochs.set(epoch, holder);
    }
  }
}

async function drain(locks: Locks, of: (regions: string) => Target[], run: number): Promise<void> {
  for (let round = 0; ; round += 1) {
    expect(round).toBeLessThan(40);
    const holders = await locks.holders(of("ABC"));
    const waiting = new Set(holders.flatMap((one) => one.waiting));
    for (const one of holders) if (one.holder !== null) await locks.release(one.holder);
    if (waiting.size === 0) return;
    for (const holder of waiting) {
      await locks.acquire({ holder, targets: of(holder.slice(`R-${run}-0-`.length)) });
    }
  }
}

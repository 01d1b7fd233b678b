import type { Instant, RegionName } from "@slipway/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Ruling, rule, type Ticket } from "./ruling.ts";

const regions = (text: string) => text.split("") as RegionName[];
const at = "2026-01-01T00:00:00.000Z" as Instant;

function ticket(id: number, of: string, state: Ticket["state"] = "waiting", lostTo: string | null = null): Ticket {
  return { id, holder: `D-${id}`, regions: regions(of), state, lostTo, drawnAt: at };
}

function ask(own: Ticket, others: Ticket[], preempt = false): Ruling {
  return rule(own, others, { holder: own.holder, regions: own.regions, preempt });
}

describe("a ticket", () => {
  test("is granted when nobody holds or wants its regions", () => {
    expect(ask(ticket(2, "AB"), [ticket(1, "C", "granted")])).toEqual({ kind: "grant", losers: [] });
  });

  test("waits behind the holder of any one of its regions", () => {
    expect(ask(ticket(2, "AB"), [ticket(1, "BC", "granted")])).toEqual({ kind: "wait", behind: "D-1" });
  });

  test("waits behind an earlier waiting ticket even where its own regions are free", () => {
    const others = [ticket(1, "A", "granted"), ticket(2, "AB")];

    expect(ask(ticket(3, "BC"), others)).toEqual({ kind: "wait", behind: "D-2" });
    expect(ask(ticket(3, "C"), others)).toEqual({ kind: "grant", losers: [] });
  });

  test("that preempts is granted at once, over holders, and leaves the waiting ones waiting", () => {
    const holder = ticket(1, "AB", "granted");

    expect(ask(ticket(3, "B"), [holder, ticket(2, "B")], true)).toEqual({ kind: "grant", losers: [holder] });
    expect(ask(ticket(3, "C"), [holder, ticket(2, "B")], true)).toEqual({ kind: "grant", losers: [] });
  });

  test("keeps what it was granted, also asked for in part, and never becomes one for other regions", () => {
    const own = ticket(1, "AB", "granted");

    expect(ask(own, [])).toEqual({ kind: "keep" });
    expect(rule(own, [], { holder: "D-1", regions: regions("A"), preempt: false })).toEqual({ kind: "keep" });
    expect(() => rule(own, [], { holder: "D-1", regions: regions("AC"), preempt: false })).toThrow(/may not use it/);
    expect(() => rule(ticket(1, "AB"), [], { holder: "D-1", regions: regions("A"), preempt: false })).toThrow();
  });

  test("of which a part was given back is kept for whoever asks for all of it, and not for a part with what was given back", () => {
    const rest = ticket(1, "BC", "granted");

    expect(rule(rest, [], { holder: "D-1", regions: regions("ABC"), preempt: false })).toEqual({ kind: "keep" });
    expect(() => rule(rest, [], { holder: "D-1", regions: regions("AB"), preempt: false })).toThrow(/may not use it/);
    expect(() => rule(ticket(1, "BC"), [], { holder: "D-1", regions: regions("ABC"), preempt: false })).toThrow();
  });

  test("that was lost says to whom, and one given back is lost to its own holder", () => {
    expect(ask(ticket(1, "A", "lost", "D-9"), [], true)).toEqual({ kind: "lost", to: "D-9" });
    expect(ask(ticket(1, "A", "released"), [])).toEqual({ kind: "lost", to: "D-1" });
  });
});

/** The smallest world that keeps tickets as the rows do. */
function world() {
  let drawn = 0;
  const tickets = new Map<string, Ticket>();
  const live = (state: Ticket["state"]) => [...tickets.values()].filter((one) => one.state === state);
  const move = (one: Ticket, state: Ticket["state"], lostTo: string | null = null) =>
    tickets.set(one.holder, { ...one, state, lostTo });
  return {
    live,
    acquire(holder: string, of: RegionName[], preempt: boolean): Ruling {
      const id = ++drawn;
      const own = tickets.get(holder) ?? { id, holder, regions: of, state: "waiting", lostTo: null, drawnAt: at };
      tickets.set(holder, own);
      const others = [...live("waiting"), ...live("granted")].filter((one) => one.id !== own.id);
      const ruling = rule(own, others, { holder, regions: own.regions, preempt });
      if (ruling.kind === "grant") {
        for (const loser of ruling.losers) move(loser, "lost", holder);
        move(own, "granted");
      }
      return ruling;
    },
    release: (holder: string) => tickets.delete(holder),
    act({ kind, holder, of }: Operation): Ruling | undefined {
      if (kind !== "release") return this.acquire(holder, of, kind === "preempt");
      this.release(holder);
      return undefined;
    },
  };
}

const operation = fc.record({
  kind: fc.constantFrom("acquire", "acquire", "acquire", "preempt", "release"),
  holder: fc.constantFrom("D-1", "D-2", "D-3", "D-4", "D-5"),
  of: fc.uniqueArray(fc.constantFrom(...regions("ABC")), { minLength: 1 }),
});

type Operation = { kind: string; holder: string; of: RegionName[] };

describe("over any sequence of asking, preempting and giving back", () => {
  test("no region has two holders, and nobody overtakes an earlier ticket for the same region", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const here = world();
        const { live } = here;
        for (const operation of operations) {
          const before = live("waiting");
          if (here.act(operation)?.kind === "grant" && operation.kind === "acquire") {
            const granted = live("granted").find((one) => one.holder === operation.holder)!;
            const overtaken = before.filter(
              (one) => one.id < granted.id && one.regions.some((region) => granted.regions.includes(region)),
            );
            expect(overtaken).toEqual([]);
          }
          const held = live("granted").flatMap((one) => one.regions);
          expect(new Set(held).size).toBe(held.length);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("nobody is stuck: as long as holders give back, everyone who waits is served", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const here = world();
        const { acquire, release, live } = here;
        for (const operation of operations) here.act(operation);
        for (let round = 0; live("waiting").length > 0; round += 1) {
          expect(round).toBeLessThan(6);
          for (const holder of live("granted")) release(holder.holder);
          for (const waiting of live("waiting")) acquire(waiting.holder, [...waiting.regions], false);
        }
      }),
      { numRuns: 500 },
    );
  });
});

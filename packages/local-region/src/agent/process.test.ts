import { describe, expect, it } from "vitest";
import { identify, isAlive, parseStat } from "./process.ts";

const stat = (name: string, state: string) =>
  `4242 (${name}) ${state} 1 4242 4242 0 -1 4194304 110 0 0 0 0 0 0 0 20 0 1 0 368350 2654208 357 18446744073709551615`;

describe("who a process is", () => {
  it("is read past a name that looks like more fields", () => {
    expect(parseStat(stat("a) R 1 (b", "S"), "boot")).toEqual({ pid: 4_242, startTicks: 368_350, bootId: "boot" });
  });

  it("is nobody for a zombie, a line cut short, and no line", () => {
    expect(parseStat(stat("sh", "Z"), "boot")).toBeUndefined();
    expect(parseStat("4242 (sh) R 1", "boot")).toBeUndefined();
    expect(parseStat("", "boot")).toBeUndefined();
  });

  it("is not mistaken for another one that has its number", () => {
    const me = identify(process.pid);

    expect(me).toBeDefined();
    if (me === undefined) return;
    expect(isAlive(me)).toBe(true);
    expect(isAlive({ ...me, startTicks: me.startTicks - 1 })).toBe(false);
    expect(isAlive({ ...me, bootId: "another" })).toBe(false);
  });
});

import { createServer, type Server } from "node:net";
import { ProblemError } from "@slipway/contracts";
import { afterEach, expect, test } from "vitest";
import { firstFree, type Layout } from "./layout.ts";
import { startOnFreePort } from "./start-on-free-port.ts";

const open: Server[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listen(port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  open.push(server);
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

const layoutOn = (platformPort: number) => ({ platformPort, rollbackPort: 0, regions: [] }) as Layout;

/** Listens as the platform does, after somebody else had his chance. */
async function start({ platformPort }: Layout, before: () => Promise<unknown>): Promise<number> {
  await before();
  return listen(platformPort).catch((cause: unknown) => {
    throw new ProblemError("port.taken", `Port ${platformPort} is taken by another program.`, { cause });
  });
}

/** A range of five ports that nobody has. */
async function freeRange(): Promise<[number, number]> {
  for (let first = 20_000; ; first += 5) {
    const free = await Promise.all([0, 1, 2, 3, 4].map((more) => firstFree(undefined, [first + more, first + more])));
    if (free.every((port) => port !== undefined)) return [first, first + 4];
  }
}

test("a port that somebody takes between choosing and listening is left for the next one, and said so", async () => {
  const range = await freeRange();
  const said: string[] = [];
  let thief = async () => void (await listen(range[0]));

  const port = await startOnFreePort({
    choose: async () => layoutOn((await firstFree(undefined, range)) ?? 0),
    start: (layout) => start(layout, thief).finally(() => (thief = async () => {})),
    asked: false,
    say: (sentence) => said.push(sentence),
  });

  expect(port).toBe(range[0] + 1);
  expect(said).toEqual([`Port ${range[0]} is taken by another program. Starting again on the next free one.`]);
});

test("a port that was asked for is refused by name instead, in that moment too", async () => {
  const [port] = await freeRange();

  const refusal = await startOnFreePort({
    choose: async () => layoutOn(port),
    start: (layout) => start(layout, () => listen(port)),
    asked: true,
    say: () => {},
  });

  expect(refusal).toBe(`port.taken: Port ${port} is taken by another program.`);
});

test("a range of which somebody has every port has none that is free", async () => {
  const range = await freeRange();
  for (let port = range[0]; port <= range[1]; port += 1) await listen(port);

  expect(await firstFree(undefined, range)).toBeUndefined();
});

test("a port that is refused although it looks free is not chosen a second time, nor is the one of before", async () => {
  const range = await freeRange();
  const tried: number[] = [];

  const port = await startOnFreePort({
    choose: async (refused) => layoutOn((await firstFree(range[0] + 1, range, { refused })) ?? 0),
    start: async ({ platformPort }) => {
      tried.push(platformPort);
      if (tried.length === 3) return platformPort;
      // As an address of this machine that is not the loopback would have it.
      throw new ProblemError("port.taken", `Port ${platformPort} is taken.`, { cause: { port: platformPort } });
    },
    asked: false,
    say: () => {},
  });

  expect(tried).toEqual([range[0] + 1, range[0], range[0] + 2]);
  expect(port).toBe(range[0] + 2);
});

test("a port of another process that is refused leaves the platform's own where it was", async () => {
  const range = await freeRange();
  const chosen: (readonly number[])[] = [];

  await startOnFreePort({
    choose: async (refused) => {
      chosen.push([...refused]);
      return layoutOn((await firstFree(undefined, range, { refused })) ?? 0);
    },
    start: async ({ platformPort }) => {
      if (chosen.length > 1) return platformPort;
      throw new ProblemError("port.taken", "A port of mesh-eu-west-1 was taken meanwhile.", {
        cause: { port: 40_001 },
      });
    },
    asked: false,
    say: () => {},
  });

  expect(chosen).toEqual([[], [40_001]]);
});

test("what goes wrong otherwise is not tried again", async () => {
  let starts = 0;
  const broken = startOnFreePort({
    choose: async () => layoutOn(0),
    start: async () => {
      starts += 1;
      throw new Error("no Postgres");
    },
    asked: false,
    say: () => {},
  });

  await expect(broken).rejects.toThrow("no Postgres");
  expect(starts).toBe(1);
});

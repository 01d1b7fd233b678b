import type { PodSummary } from "@slipway/cluster";
import type { EnvironmentName, RegionName, ServiceName, VersionName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { followRegion, type LogRequest, type LogSink, type PodReader, readRegion } from "./read-pods.ts";

const pod = (name: string, restarts = 0): PodSummary => ({
  name,
  restarts,
  version: "shop-abcdef0-aaaaa" as VersionName,
  ready: true,
});

/** Plays one list of pods after the other (an Error: the region does not answer); each pod says its name, restarts and how it was asked. */
function region(...lists: (readonly PodSummary[] | Error)[]) {
  const stop = new AbortController();
  const heard: string[] = [];
  let at = -1;
  let current: readonly PodSummary[] = [];
  const reader: PodReader = {
    async listPods() {
      at += 1;
      const list = lists[at];
      if (at >= lists.length - 1) stop.abort();
      if (list instanceof Error) throw list;
      current = list ?? [];
      return current;
    },
    async podLog(_target, name, { tail, follow }) {
      const restarts = current.find((one) => one.name === name)?.restarts;
      return (async function* () {
        yield `${restarts} restarts, tail ${tail}${follow ? ", follow" : ""}`;
      })();
    },
  };
  const request: LogRequest = {
    region: "here" as RegionName,
    target: { environment: "prod" as EnvironmentName, service: "shop" as ServiceName },
    ...{ version: undefined, tail: 7, lookMs: 0, signal: stop.signal },
    cluster: async () => reader,
    secretValues: async () => [],
  };
  const sink: LogSink = {
    line: async (line) => heard.push(`${line.pod}: ${line.line}`) > 0,
    note: async (note) => heard.push(`${note.pod ?? note.region} # ${note.note}`) > 0,
  };
  return { request, sink, heard };
}

test("what was printed so far is read once, pod by pod", async () => {
  const { request, sink, heard } = region([pod("a"), pod("b")]);

  await readRegion({ ...request, signal: new AbortController().signal }, sink);

  expect(heard).toEqual(["a: 0 restarts, tail 7", "b: 0 restarts, tail 7"]);
});

test("a region that does not answer, and one without pods, are said, not thrown", async () => {
  const away = region(new Error("no answer"));
  const empty = region([]);
  const signal = new AbortController().signal;

  await readRegion({ ...away.request, signal }, away.sink);
  await readRegion({ ...empty.request, signal }, empty.sink);

  expect([away.heard, empty.heard]).toEqual([["here # no answer"], ["here # no pods"]]);
});

test("following finds pods that come, and reads a container that started again anew", async () => {
  const { request, sink, heard } = region([pod("a")], [pod("a")], [pod("a"), pod("b")], [pod("a", 1), pod("b")], []);

  await followRegion(request, sink);

  expect(heard.filter((line) => !line.includes("#")).sort()).toEqual([
    "a: 0 restarts, tail 7, follow",
    "a: 1 restarts, tail 7, follow",
    "b: 0 restarts, tail 7, follow",
  ]);
});

test("trouble that lasts is said once, and its end too", async () => {
  const { request, sink, heard } = region(new Error("away"), new Error("away"), new Error("away"), []);

  await followRegion(request, sink);

  expect(heard).toEqual(["here # away", "here # answers again"]);
});

test("a value that pods were given is not shown, and one that is set while it is followed is not shown of pods that come then", async () => {
  const { request, sink, heard } = region([pod("a")], [pod("a"), pod("b")], []);
  const given = [["tail 7"], ["0 restarts"]];

  await followRegion({ ...request, secretValues: async () => given.shift() ?? [] }, sink);

  expect(heard.filter((line) => !line.includes("#"))).toEqual(["a: 0 restarts, ***, follow", "b: ***, tail 7, follow"]);
});

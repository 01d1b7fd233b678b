import { describe, expect, it } from "vitest";
import { podArgv, type Recipe } from "./recipe.ts";

const hostile = '"; rm -rf / #$(id)`id`';
const recipe: Recipe = {
  asRoot: true,
  account: { host: 720_001, inside: null },
  pidFile: "/d/pid",
  groups: ["/sys/fs/cgroup/x/cgroup.procs"],
  stage: "/d/root",
  hostname: hostile,
  entries: [
    { kind: "ro", from: `/i/${hostile}`, to: `/${hostile}` },
    { kind: "link", target: hostile, to: "/bin" },
  ],
  rlimits: ["--core=0"],
  workingDir: "/app",
  command: ["node", hostile],
};

describe("the recipe of a pod", () => {
  it.each([true, false])(
    "gives names, paths and commands as arguments of their own, never inside of a shell text (root: %s)",
    (asRoot) => {
      const argv = podArgv({ ...recipe, asRoot });
      const texts = argv.filter((_, index) => argv[index - 1] === "-c");

      expect(texts).toHaveLength(2);
      for (const text of texts) expect(text).not.toContain("rm -rf");
      expect(argv.filter((argument) => argument.includes("rm -rf")).length).toBe(5);
      expect(argv.slice(-2)).toEqual(["node", hostile]);
    },
  );

  it("keeps apart mounts, processes, ipc and host name, and shares the network", () => {
    const argv = podArgv(recipe);

    for (const namespace of ["--mount", "--pid", "--ipc", "--uts"]) expect(argv).toContain(namespace);
    expect(argv).not.toContain("--net");
  });

  it("ends as another user in both ways, with no way to more privileges", () => {
    const inside = { uid: 1_000, gid: 1_000 };

    expect(podArgv(recipe)).toEqual(expect.arrayContaining(["--no-new-privs", "--setuid=720001", "--setgid=720001"]));
    expect(podArgv({ ...recipe, asRoot: false, account: { host: 1, inside } })).toEqual(
      expect.arrayContaining(["--no-new-privs", "--map-root-user", "--map-user=1000", "--map-group=1000"]),
    );
  });

  it("as root gives up root before it makes the user namespace in which it is the image's USER", () => {
    const argv = podArgv({ ...recipe, account: { host: 720_001, inside: { uid: 1_000, gid: 5 } } });

    expect(argv).not.toContain("--map-root-user");
    const order = ["--no-new-privs", "--reuid=720001", "--clear-groups", "--user", "--map-user=1000", "--map-group=5"];
    expect(argv.filter((argument) => order.includes(argument))).toEqual(order);
  });
});

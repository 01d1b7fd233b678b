import { normalize, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linkTarget, tarPath, whiteout } from "./tar-path.ts";

/** Names made of the pieces that attacks are made of. */
const piece = fc.oneof(
  fc.constantFrom("..", ".", "", "a", "etc", ".wh.", ".wh..wh..opq", ".wh..", ".wh...", "\0", "…", "\\..", "..\\"),
  fc.string({ maxLength: 8 }),
);
const name = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("/"));

describe("a name from an archive", () => {
  test("that is accepted always stays inside its root, whatever it is made of", () => {
    fc.assert(
      fc.property(name, (text) => {
        const path = tarPath(text);
        if (path.kind === "unsafe") return;
        const full = resolve("/root/of/image", ...path.parts);
        expect(full === "/root/of/image" || full.startsWith("/root/of/image/")).toBe(true);
        expect(path.parts.every((part) => part !== "" && part !== "." && part !== ".." && !part.includes("/"))).toBe(
          true,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test("that is plain is accepted as it stands", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z0-9_-]{1,12}$/), { minLength: 1, maxLength: 20 }), (parts) => {
        expect(tarPath(parts.join("/"))).toEqual({ kind: "inside", parts });
        expect(tarPath(`./${parts.join("/")}/`)).toEqual({ kind: "inside", parts });
      }),
    );
  });

  test.each(["/etc/passwd", "../x", "a/../../x", "a/..", "a\0b", `a/${"x".repeat(256)}`, "x/".repeat(200)])(
    "%j is refused",
    (text) => {
      expect(tarPath(text).kind).toBe("unsafe");
    },
  );
});

describe("a link in an archive", () => {
  test("that is accepted never climbs out of the root", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 5 }), name, (at, target) => {
        if (linkTarget(at, target).kind === "unsafe") return;
        const steps = (target.startsWith("/") ? target : [...at.slice(0, -1), target].join("/")).replace(/^\/+/, "");
        expect(normalize(`./${steps}`)).not.toMatch(/^\.\.(\/|$)/);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    [["a"], "../x"],
    [["a", "b"], "../../x"],
    [["a"], "/../x"],
    [["a"], "x/../../y"],
    [["a"], ""],
  ])("at %j to %j is refused", (at, target) => {
    expect(linkTarget(at, target).kind).toBe("unsafe");
  });

  test("to a neighbour or to the image's own root is fine", () => {
    expect(linkTarget(["node_modules", ".bin", "tool"], "../tool/cli.js").kind).toBe("fine");
    expect(linkTarget(["bin"], "/usr/bin").kind).toBe("fine");
  });
});

describe("a whiteout", () => {
  test("never names a folder or its parent", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), (rest) => {
        const found = whiteout(`.wh.${rest}`);
        if (found.kind === "remove") expect(["", ".", ".."]).not.toContain(found.name);
      }),
    );
    expect(whiteout(".wh...").kind).toBe("unsafe");
    expect(whiteout(".wh..").kind).toBe("unsafe");
    expect(whiteout(".wh.").kind).toBe("unsafe");
  });

  test("of a file, of a folder's content, and none", () => {
    expect(whiteout(".wh.old.txt")).toEqual({ kind: "remove", name: "old.txt" });
    expect(whiteout(".wh..wh..opq")).toEqual({ kind: "opaque" });
    expect(whiteout("new.txt")).toEqual({ kind: "none" });
  });
});

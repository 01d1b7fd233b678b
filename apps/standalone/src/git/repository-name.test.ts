import { expect, test } from "vitest";
import { repositoryAt } from "./repository-name.ts";

test.each(["", "/info/refs", "/git-receive-pack", "/HEAD", "/objects/pack/x"])(
  "a repository and its part %j are of the service of that name",
  (part) => {
    expect(repositoryAt(`/git/hello-world.git${part}`)).toEqual({ service: "hello-world" });
  },
);

test.each([
  [
    "/git/Hello_World.git/info/refs",
    /"Hello_World" names no service: .*lower-case letters, digits and dashes.*; hello-world\.git would be one$/,
  ],
  ["/git/9lives.git", /"9lives" names no service: .*starting with a letter; lives\.git would be one$/],
  ["/git/%D0%BF.git", /"п" names no service: .*starting with a letter$/],
  ["/git/.git/info/refs", /"" names no service/],
  ["/git/%zz.git", /"%zz" names no service/],
])("%s is told the rule for names, and the nearest name that keeps it", (path, refusal) => {
  expect(repositoryAt(path)).toEqual({ refusal: expect.stringMatching(refusal) });
});

test("a name without .git, and a path that git never asks for, are told where the repository is", () => {
  for (const path of ["/git/shop", "/git/shop.git/config"]) {
    expect(repositoryAt(path)).toEqual({ refusal: "no such repository: the one of shop is /git/shop.git" });
  }
});

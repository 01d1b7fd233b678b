import { expect, test } from "vitest";
import { dockerfilesCheck } from "./dockerfiles-check.ts";

const image = `docker.io/moby/buildkit@sha256:${"a".repeat(64)}`;
const found = (url?: string) => dockerfilesCheck({ SLIPWAY_EXECUTOR: url });

test("it is said where Dockerfiles are built, and by what, and where they are not", () => {
  expect(found()).toMatchObject({ state: "ok", found: expect.stringContaining("not built here") });
  expect(found("kubernetes:?image=i")).toMatchObject({
    state: "ok",
    found: expect.stringContaining("no buildkit_image"),
  });
  expect(found(`kubernetes:?image=i&buildkit_image=${image}`)).toMatchObject({
    state: "ok",
    found: `built by ${image} in slipway-image-builds`,
  });
});

test("an image that is not pinned is bad, with what to write", () => {
  expect(found("kubernetes:?image=i&buildkit_image=moby/buildkit:rootless")).toMatchObject({
    state: "bad",
    found: expect.stringContaining("by its digest"),
    remedy: expect.stringContaining("docs/guides/builds-on-kubernetes.md"),
  });
});

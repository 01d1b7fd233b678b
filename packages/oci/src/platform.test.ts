import type { Digest } from "@slipway/kernel";
import { expect, test } from "vitest";
import { manifestFor, requirePlatform } from "./platform.ts";

const digest = (n: number) => `sha256:${String(n).repeat(64)}` as Digest;
const entry = (n: number, platform?: { architecture: string; os: string; variant?: string }) => ({
  ...{ mediaType: "application/vnd.oci.image.manifest.v1+json", digest: digest(n), size: 1 },
  ...(platform === undefined ? {} : { platform }),
});
const linux = (architecture: string) => ({ architecture, os: "linux" });
const index = {
  manifests: [
    entry(1, linux("amd64")),
    entry(2, { ...linux("arm64"), variant: "v8" }),
    entry(3, { architecture: "unknown", os: "unknown" }),
    entry(4),
  ],
};

test("of several platforms this machine's is taken", () => {
  expect(manifestFor(index, linux("amd64"), "x:1")).toBe(digest(1));
  expect(manifestFor(index, linux("arm64"), "x:1")).toBe(digest(2));
});

test("where this machine's is not among them it is said which there are", () => {
  expect(() => manifestFor(index, linux("riscv64"), "x:1")).toThrow(
    "x:1 is not made for this machine (linux/riscv64; the image is for linux/amd64, linux/arm64): name a tag that is",
  );
  expect(() => requirePlatform({ architecture: "arm64", os: "linux" }, linux("amd64"), "x:1")).toThrow(/linux\/arm64/);
});

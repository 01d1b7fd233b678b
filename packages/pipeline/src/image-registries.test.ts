import { expect, test } from "vitest";
import { parseImageRegistries } from "./image-registries.ts";

test("mirrors and credentials are read by the host that images name", () => {
  expect(parseImageRegistries("docker.io=http://mirror.example:5000, ghcr.io=https://me:a%20b@ghcr.io")).toEqual({
    "docker.io": { url: "http://mirror.example:5000/" },
    "ghcr.io": { url: "https://ghcr.io/", auth: { username: "me", password: "a b" } },
  });
  expect(parseImageRegistries("")).toEqual({});
});

test.each(["ghcr.io", "ghcr.io=me:secret@ghcr.io", "=https://x.example", "ghcr.io=ftp://me:secret@x"])(
  "%s is refused, and no password is told again",
  (text) => {
    const read = () => parseImageRegistries(text);

    expect(read).toThrow(/SLIPWAY_IMAGE_REGISTRIES/);
    expect(read).not.toThrow(/secret/);
  },
);

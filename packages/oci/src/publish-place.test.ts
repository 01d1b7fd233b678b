import { expect, test } from "vitest";
import { imageAt, PublishTo } from "./publish-place.ts";

test.each([
  [
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com/slipway",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com/slipway/orders@sha256:1",
  ],
  ["registry.example:5000/team/apps/", "registry.example:5000/team/apps/orders@sha256:1"],
  ["127.0.0.1:5000", "127.0.0.1:5000/orders@sha256:1"],
])("published to %s an image is %s", (text, image) => {
  const place = PublishTo.parse(text);

  expect(place && imageAt(place, { service: "orders", digest: "sha256:1" })).toBe(image);
});

test("nothing is published where nothing is said", () => {
  expect(PublishTo.parse("")).toBeUndefined();
});

test.each([
  "https://registry.example/team",
  "registry.example/Team",
  "registry.example/team:v1",
  "ada:secret@registry.example/team",
])("%s is refused, without being repeated", (text) => {
  const error = PublishTo.safeParse(text).error;

  expect(error?.issues[0]?.message).toMatch(/^it looks like registry\.example\.com\/team/);
  expect(JSON.stringify(error?.issues)).not.toContain("secret");
});

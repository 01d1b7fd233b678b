import { expect, test } from "vitest";
import { parseImageRegistries } from "../image-registries.ts";
import { builderConfig } from "./config.ts";

const configOf = (text: string) => builderConfig(parseImageRegistries(text));

test("a mirror is looked at first, and one that speaks plain HTTP is said to", () => {
  expect(configOf("docker.io=https://mirror.example/hub,quay.io=http://10.0.0.9:5000").toml).toBe(
    '[registry."docker.io"]\nmirrors = ["mirror.example/hub"]\n[registry."quay.io"]\nmirrors = ["10.0.0.9:5000"]\n[registry."10.0.0.9:5000"]\nhttp = true\n',
  );
});

test("credentials go into Docker's file alone, under the name that Docker Hub has there", () => {
  const { toml, json } = configOf("ghcr.io=https://me:pass@ghcr.io,docker.io=https://hub:word@registry-1.docker.io");

  expect(toml).not.toMatch(/pass|word/);
  expect(toml).not.toContain("ghcr.io");
  expect(JSON.parse(json)).toEqual({
    auths: {
      "ghcr.io": { auth: Buffer.from("me:pass").toString("base64") },
      "https://index.docker.io/v1/": { auth: Buffer.from("hub:word").toString("base64") },
    },
  });
});

test("nothing that is named needs nothing", () => {
  expect(configOf("")).toEqual({ toml: "\n", json: '{"auths":{}}' });
});

import { globSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { read, readYaml, root } from "./tree.ts";

const { version } = z.object({ version: z.string() }).parse(JSON.parse(read("package.json")));
const files = [...globSync("deploy/**/*", { cwd: root, withFileTypes: true })]
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length + 1));
const texts = [...files, "docs/guides/operating.md", "docs/guides/builds-on-kubernetes.md", "README.md"].map(
  (path) => ({ path, text: read(path) }),
);

test("Slipway's own image has one name, and wherever its version is said it is this one", () => {
  const named = texts.flatMap(({ path, text }) =>
    [...text.matchAll(/slipway-services(?::|@)([^\s"'`&)}]+)/g)].map(([, tag]) => ({ path, tag })),
  );
  const chart = z
    .object({ version: z.string(), appVersion: z.string() })
    .parse(readYaml("deploy/helm/slipway/Chart.yaml"));
  const { image } = z
    .object({ image: z.object({ repository: z.string(), tag: z.string(), digest: z.string() }) })
    .parse(readYaml("deploy/helm/slipway/values.yaml"));

  expect(named.length).toBeGreaterThan(4);
  expect(named.filter(({ tag }) => tag !== version)).toEqual([]);
  expect(chart).toEqual({ version, appVersion: version });
  // Without a tag it is the chart's appVersion.
  expect(image).toEqual({ repository: "slipway-services", tag: "", digest: "" });
});

test("every other image has a full version, never `latest`, and the same one wherever it is named", () => {
  const names = [
    ...read("deploy/compose/docker-compose.yml").matchAll(/^\s+image: (\S+)$/gm),
    ...read("deploy/docker/Dockerfile").matchAll(/^(?:FROM|ARG NODE_IMAGE=)\s*([a-z0-9./-]+:\S+)/gm),
    ...texts.flatMap(({ text }) => [...text.matchAll(/\b(node:\d+\.\d+\.\d+[a-z0-9.-]*)/g)]),
  ].map(([, name = ""]) => name);
  const tags = new Map<string, Set<string>>();
  for (const name of names) {
    const at = name.lastIndexOf(":");
    tags.set(name.slice(0, at), (tags.get(name.slice(0, at)) ?? new Set()).add(name.slice(at + 1)));
  }

  expect(tags.size).toBeGreaterThan(7);
  for (const [name, known] of tags) {
    expect([name, known.size]).toEqual([name, 1]);
    expect([...known][0], name).toMatch(/^v?\d+\.\d+\.\d+(-[a-z-]+)?$|^\d+\.\d+-[a-z]+$/);
  }
});

test("the image's Node is the one with which everything here was tested", () => {
  const inImage = /NODE_IMAGE=node:(\d+\.\d+\.\d+)-/.exec(read("deploy/docker/Dockerfile"))?.[1];

  expect(readYaml("scripts/node/package.json")).toMatchObject({ version: inImage });
});

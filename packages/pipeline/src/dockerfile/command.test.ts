import { PipelineStep } from "@slipway/contracts";
import { expect, test } from "vitest";
import { builderCommand, carriedSecrets } from "./command.ts";

const builder = { image: "moby/buildkit@sha256:0", folder: "/buildkit", cache: "/buildkit-cache" };
const env = { SLIPWAY_GIT_SHA: "abc", SLIPWAY_STEP: "container", SOURCE_DATE_EPOCH: "86400" };
const commandOf = (step: object, told: Record<string, string> = env) =>
  builderCommand(PipelineStep.parse({ uses: "dockerfile", ...step }), {
    builder,
    config: "/slipway/tools/buildkit",
    env: told,
    mostKept: 1_048_576,
  });

test("a Dockerfile at the top is built with the commit's time, by BuildKit's own reader, into a layout", () => {
  const { command, env: set } = commandOf({});

  expect(command.slice(0, 3)).toEqual(["/bin/sh", "-eu", "-c"]);
  expect(command.slice(5).join(" ")).toBe(
    "/buildkit/image .slipway-image --progress=plain --frontend=dockerfile.v0 --local=context=. --local=dockerfile=. " +
      "--opt filename=Dockerfile --opt cmdline=docker/dockerfile --opt attest:provenance=mode=min " +
      "--opt build-arg:SOURCE_DATE_EPOCH=86400 --opt label:org.opencontainers.image.revision=abc " +
      "--output=type=oci,dest=/buildkit/image,tar=false,rewrite-timestamp=true",
  );
  expect(set).toMatchObject({ XDG_RUNTIME_DIR: "/buildkit/run", DOCKER_CONFIG: "/slipway/tools/buildkit" });
  expect(set.BUILDKITD_FLAGS).toContain("--oci-worker-no-process-sandbox");
});

test("a secret is carried under a name of its own, so that none of BuildKit's settings can be made of one", () => {
  const step = PipelineStep.parse({ uses: "dockerfile", secrets: ["BUILDKITD", "NPM_TOKEN"] });

  expect(carriedSecrets(step, { BUILDKITD: "/workspace/other", NPM_TOKEN: "t" })).toEqual({
    ...{ BUILD_SECRET_0: "/workspace/other", BUILD_SECRET_1: "t" },
  });
});

test("with a cache each commit's files have the same time, since what an older one made is part of the image, and a label has the commit's", () => {
  const { command } = commandOf({ cache: { key: ["package-lock.json"] } });

  expect(command.slice(5, 11)).toEqual([
    ...["/buildkit/image", ".slipway-image", "--output=type=oci,dest=/buildkit/image,tar=false,rewrite-timestamp=true"],
    ...["/buildkit/data", "/buildkit-cache", "1048576"],
  ]);
  expect(command).toEqual(
    expect.arrayContaining([
      "build-arg:SOURCE_DATE_EPOCH=315532800",
      "label:org.opencontainers.image.created=1970-01-02T00:00:00Z",
    ]),
  );
  expect(command.filter((one) => one.startsWith("--output"))).toHaveLength(1);
});

test("path, stage and args are arguments of their own, and secrets go by name alone", () => {
  const args = { VERSION: "1; rm -rf /", GREETING: "a b" };
  const { command } = commandOf({
    dockerfile: { path: "deploy/web.Dockerfile", target: "run", args },
    secrets: ["NPM_TOKEN"],
  });

  expect(command).toEqual(
    expect.arrayContaining([
      ...["--local=dockerfile=deploy", "filename=web.Dockerfile", "target=run"],
      ...["build-arg:VERSION=1; rm -rf /", "build-arg:GREETING=a b", "id=NPM_TOKEN,env=BUILD_SECRET_0"],
    ]),
  );
  expect(command[3]).not.toContain("rm -rf /\n");
});

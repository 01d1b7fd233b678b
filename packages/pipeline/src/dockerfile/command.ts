import { posix } from "node:path";
import type { DockerfileBuild, PipelineStep } from "@slipway/contracts";
import type { Builder } from "@slipway/executor";

/** Folder of the workspace in which a step that builds a Dockerfile leaves its image, as an OCI layout. Nothing else is left beside it. */
export const imageLayout = ".slipway-image";

/** What `uses: dockerfile` builds where nothing more is said. */
const usual: DockerfileBuild = { path: "Dockerfile", args: {} };

export function dockerfileOf({ dockerfile }: Pick<PipelineStep, "dockerfile">): DockerfileBuild {
  return dockerfile ?? usual;
}

/**
 * The fixed shell text: `build <where the image is made> <where it is left> <arguments of buildctl>...`. The context is what the step was given; the image is made
 * outside of it, and takes its place, so that nothing else has to leave the pod.
 */
const script = `
made=$1 left=$2; shift 2
mkdir -p "$HOME" "$XDG_RUNTIME_DIR" "$TMPDIR"
chmod 0700 "$XDG_RUNTIME_DIR"
buildctl-daemonless.sh build "$@"
find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +
mv "$made" "$left"
`;

const carrier = (at: number): string => `BUILD_SECRET_${at}`;

/** A step's secrets as BuildKit's client is given them: under names that no program acts on, whatever they are called. */
export function carriedSecrets(
  { secrets }: PipelineStep,
  values: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(secrets.map((name, at) => [carrier(at), values[name] ?? ""]));
}

export type BuilderCommand = {
  readonly command: [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
};

/**
 * How BuildKit builds the step's Dockerfile. `config`: folder inside with buildkitd.toml and config.json. `env`: what the platform tells of the build; its
 * SOURCE_DATE_EPOCH becomes the time of every file of the image, so that the same commit is the same digest as far as its RUN lines let it.
 */
export function builderCommand(
  step: PipelineStep,
  about: { readonly builder: Builder; readonly config: string; readonly env: Readonly<Record<string, string>> },
): BuilderCommand {
  const { path, target, args } = dockerfileOf(step);
  const { folder } = about.builder;
  const { SOURCE_DATE_EPOCH: epoch = "0", SLIPWAY_GIT_SHA: sha } = about.env;
  const options = {
    filename: posix.basename(path),
    // Its own reader, whatever a line "# syntax=" names: no further program is fetched and run.
    cmdline: "docker/dockerfile",
    ...(target === undefined ? {} : { target }),
    "attest:provenance": "mode=min",
    "build-arg:SOURCE_DATE_EPOCH": epoch,
    ...(sha === undefined ? {} : { "label:org.opencontainers.image.revision": sha }),
    ...Object.fromEntries(Object.entries(args).map(([name, value]) => [`build-arg:${name}`, value])),
  };
  return {
    command: [
      ...(["/bin/sh", "-eu", "-c", script, "slipway-build", `${folder}/image`, imageLayout] as const),
      ...["--progress=plain", "--frontend=dockerfile.v0", "--local=context=."],
      `--local=dockerfile=${posix.join(".", posix.dirname(path))}`,
      ...Object.entries(options).flatMap(([name, value]) => ["--opt", `${name}=${value}`]),
      ...step.secrets.flatMap((name, at) => ["--secret", `id=${name},env=${carrier(at)}`]),
      `--output=type=oci,dest=${folder}/image,tar=false,rewrite-timestamp=true`,
    ],
    env: {
      ...{
        HOME: `${folder}/home`,
        TMPDIR: `${folder}/tmp`,
        XDG_RUNTIME_DIR: `${folder}/run`,
        DOCKER_CONFIG: about.config,
      },
      // A pod's /proc is masked, so that no other can be mounted: RUN lines see the processes of their pod, which has no others than the build's.
      BUILDKITD_FLAGS: `--config=${about.config}/buildkitd.toml --root=${folder}/data --oci-worker-no-process-sandbox --oci-worker-net=host`,
      BUILDCTL_CONNECT_RETRIES_MAX: "40",
    },
  };
}

import { posix } from "node:path";
import type { DockerfileBuild, PipelineStep } from "@slipway/contracts";
import type { Builder } from "@slipway/executor";
import { buildScript, cachedBuildScript } from "./script.ts";

/** Folder of the workspace in which a step that builds a Dockerfile leaves its image, as an OCI layout. Nothing else is left beside it. */
export const imageLayout = ".slipway-image";

/** What `uses: dockerfile` builds where nothing more is said. */
const usual: DockerfileBuild = { path: "Dockerfile", args: {} };

export function dockerfileOf({ dockerfile }: Pick<PipelineStep, "dockerfile">): DockerfileBuild {
  return dockerfile ?? usual;
}

/**
 * The time of all files that are made where lines are kept, in place of the commit's. BuildKit makes only later times into this one, and the files of a kept line are
 * older than the next commit: with its time the image would be another one than without the cache. 1980 is the first year that every archive can tell.
 */
const keptTime = "315532800";

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

type BuildPlace = {
  readonly builder: Builder;
  /** Folder inside with buildkitd.toml and config.json. */
  readonly config: string;
  /** What the platform tells of the build. */
  readonly env: Readonly<Record<string, string>>;
  /** How large what is kept may be. */
  readonly mostKept: number;
};

/**
 * How BuildKit builds the step's Dockerfile. SOURCE_DATE_EPOCH of `env` becomes the time of every file of the image, so that the same commit is the same digest as far
 * as its RUN lines let it; with a cache it is the same time for all commits.
 */
export function builderCommand(step: PipelineStep, about: BuildPlace): BuilderCommand {
  const { path, target, args } = dockerfileOf(step);
  const { folder } = about.builder;
  const { SOURCE_DATE_EPOCH: committed = "0", SLIPWAY_GIT_SHA: sha } = about.env;
  const cached = step.cache !== undefined;
  const output = `type=oci,dest=${folder}/image,tar=false,rewrite-timestamp=true`;
  const options = {
    filename: posix.basename(path),
    // Its own reader, whatever a line "# syntax=" names: no further program is fetched and run.
    cmdline: "docker/dockerfile",
    ...(target === undefined ? {} : { target }),
    "attest:provenance": "mode=min",
    "build-arg:SOURCE_DATE_EPOCH": cached ? keptTime : committed,
    ...(sha === undefined ? {} : { "label:org.opencontainers.image.revision": sha }),
    ...(cached ? { "label:org.opencontainers.image.created": isoTime(committed) } : {}),
    ...Object.fromEntries(Object.entries(args).map(([name, value]) => [`build-arg:${name}`, value])),
  };
  return {
    command: [
      ...(["/bin/sh", "-eu", "-c", cached ? cachedBuildScript : buildScript, "slipway-build"] as const),
      ...[`${folder}/image`, imageLayout],
      ...(cached ? [`--output=${output}`, `${folder}/data`, about.builder.cache, String(about.mostKept)] : []),
      ...["--progress=plain", "--frontend=dockerfile.v0", "--local=context=."],
      `--local=dockerfile=${posix.join(".", posix.dirname(path))}`,
      ...Object.entries(options).flatMap(([name, value]) => ["--opt", `${name}=${value}`]),
      ...step.secrets.flatMap((name, at) => ["--secret", `id=${name},env=${carrier(at)}`]),
      ...(cached ? [] : [`--output=${output}`]),
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

function isoTime(seconds: string): string {
  return new Date(Number(seconds) * 1_000).toISOString().replace(".000Z", "Z");
}

import type { PipelineStep } from "@slipway/contracts";
import type { Builder } from "@slipway/executor";

/** So much of the end of what BuildKit prints is looked at. */
const mostKept = 32_768;
const guide = "docs/guides/builds-on-kubernetes.md, Dockerfiles";

/** Keeps the end of an output. */
export function outputTail(): { push(chunk: Uint8Array): void; text(): string } {
  let kept = Buffer.alloc(0);
  return {
    push(chunk) {
      kept = Buffer.concat([kept, chunk]).subarray(-mostKept);
    },
    text: () => kept.toString("utf8"),
  };
}

/** What went wrong, out of what BuildKit printed last: the line of the Dockerfile, an image that is not to be had, rights that are missing. Undefined where nothing of that is told. */
export function buildTrouble(
  output: string,
  { step, builder }: { readonly step: Pick<PipelineStep, "network">; readonly builder: Builder },
): string | undefined {
  const started = startTrouble(output, builder);
  if (started !== undefined) return started;
  const said = lastOf(/^error: failed to solve: (.+)$/gm, output)?.[1];
  if (said === undefined) return undefined;
  const parse = /^(?:failed to read dockerfile: )?dockerfile parse error on line (\d+): (.+)$/s.exec(said);
  const at = lastOf(/^(\S+):(\d+)\n-{10,}$/gm, output.slice(0, output.lastIndexOf("error: failed to solve:")));
  const message = parse?.[2] ?? said;
  const line = parse?.[1] ?? at?.[2];
  const where = line === undefined ? "" : `${at?.[1] ?? "Dockerfile"}:${line}: `;
  return `${where}${message}${imageRemedy(said, step.network)}`;
}

function startTrouble(output: string, { image }: Builder): string | undefined {
  if (/buildctl-daemonless\.sh: (command )?not found/.test(output))
    return `the image ${image} has no buildctl-daemonless.sh: it has to be rootless BuildKit (${guide})`;
  if (!/could not connect to unix:.*buildkitd\.sock/.test(output)) return undefined;
  const why = lastOf(/(?:\[rootlesskit:\w+ *\] error: |buildkitd: )(.+)$/gm, output)?.[1] ?? "it says nothing of why";
  return `BuildKit did not start (${why}): its pod needs seccomp and AppArmor Unconfined, the capabilities SETUID and SETGID and a node that allows user namespaces (${guide})`;
}

function imageRemedy(said: string, network: PipelineStep["network"]): string {
  if (!/failed to (resolve source metadata|authorize|fetch|do request)|pull access denied/.test(said)) return "";
  if (/\b(401|403)\b|[Uu]nauthorized|denied|authorization failed/.test(said))
    return "; check its name, or give the registry's credentials in SLIPWAY_IMAGE_REGISTRIES";
  if (/x509: certificate signed by unknown authority/.test(said))
    return "; add its authority to the BuildKit image, or name a mirror in SLIPWAY_IMAGE_REGISTRIES";
  if (/x509: /.test(said)) return "; correct the registry's certificate, or name a mirror in SLIPWAY_IMAGE_REGISTRIES";
  if (/dial tcp|no such host|timeout|connection refused|unreachable/.test(said))
    return network === "none"
      ? "; the step has no network: say network: registries"
      : "; check that pods of image builds reach the registry, or name a mirror in SLIPWAY_IMAGE_REGISTRIES";
  return /not found/.test(said) ? "; check its name and tag" : "";
}

function lastOf(pattern: RegExp, text: string): RegExpMatchArray | undefined {
  return [...text.matchAll(pattern)].at(-1);
}

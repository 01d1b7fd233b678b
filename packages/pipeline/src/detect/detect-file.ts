import type { ServiceName } from "@slipway/kernel";
import { parseSlipwayYaml } from "../slipway-yaml.ts";
import { detect } from "./detect.ts";
import { dockerfileUsed, hasDockerfile } from "./dockerfile.ts";
import { type Found, isUndetected, type Undetected } from "./found.ts";
import { renderDockerfileYaml, renderSlipwayYaml } from "./render.ts";
import type { RepositoryView } from "./repository-view.ts";

/** The slipway.yaml that a repository could have, and what was seen in it. */
export type DetectedFile = {
  readonly kind: "detected";
  readonly text: string;
  readonly found: readonly Found[];
  readonly notes: readonly string[];
};

/**
 * One function for the command line and for builds of repositories that have no slipway.yaml. `buildsDockerfiles`: whether that is done where this one is
 * built; then a Dockerfile is used where nothing else says how.
 */
export function detectFile(
  view: RepositoryView,
  service: ServiceName,
  { buildsDockerfiles = false }: { readonly buildsDockerfiles?: boolean } = {},
): DetectedFile | Undetected {
  const draft = detect(view, service);
  if (!isUndetected(draft)) return detected(renderSlipwayYaml(draft, service), service, draft);
  if (!buildsDockerfiles || !hasDockerfile(view)) return draft;
  return detected(renderDockerfileYaml(view, service), service, dockerfileUsed(view));
}

function detected(text: string, service: ServiceName, draft: Pick<DetectedFile, "found" | "notes">): DetectedFile {
  const parsed = parseSlipwayYaml(text, service);
  if (parsed.kind === "errors") throw new Error(`a detected file has errors: ${parsed.errors[0]?.message}\n${text}`);
  return { kind: "detected", text, found: draft.found, notes: draft.notes };
}

/** What was found and why, for people: `start: node server.js   (Procfile web:)`. */
export function detectionLines({ found, notes }: Pick<DetectedFile, "found" | "notes">): string[] {
  const width = Math.max(...found.map(({ what }) => what.length)) + 1;
  const lines = found.map(({ what, value, why }) => `${`${what}:`.padEnd(width)} ${firstLine(value)}   (${why})`);
  return [...lines, ...notes.map((note) => `note: ${note}`)];
}

function firstLine(text: string): string {
  const [first = "", ...rest] = text.split("\n");
  return rest.length === 0 ? first : `${first} …`;
}

/** Why there is no pipeline, and what would make one, line by line. */
export function undetectedLines({ problem, remedies }: Undetected): string[] {
  return [problem, ...remedies.map((remedy) => `  - ${remedy}`)];
}

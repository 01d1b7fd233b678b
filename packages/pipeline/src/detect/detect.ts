import { exposedPort, hasDockerfile } from "./dockerfile.ts";
import { type Draft, isUndetected, type Undetected, undetected } from "./found.ts";
import { detectGo } from "./go.ts";
import { detectNode } from "./node.ts";
import { webProcess } from "./procfile.ts";
import { detectPython } from "./python.ts";
import type { RepositoryView } from "./repository-view.ts";
import { detectSite } from "./static-site.ts";

type Answers = {
  readonly node: Draft | Undetected | undefined;
  readonly python: Draft | Undetected | undefined;
  readonly go: Draft | Undetected | undefined;
};

/**
 * What a repository without slipway.yaml is, and how it is built, tested and started. Pure. A Procfile's `web:` line comes before everything else;
 * of several kinds the one that has a start is taken, and where two have one the owner is asked.
 */
export function detect(view: RepositoryView, service: string): Draft | Undetected {
  const web = webProcess(view);
  const answers = {
    node: detectNode(view, web),
    python: detectPython(view, web),
    go: detectGo(view, service, web),
  };
  const given = Object.values(answers).filter((answer) => answer !== undefined);
  const drafts = given.filter((answer): answer is Draft => !isUndetected(answer));
  const [first, second] = drafts.length > 1 ? withoutMere(drafts) : drafts;
  if (first !== undefined && second === undefined) return first;
  if (first !== undefined && second !== undefined) return both(first, second, answers);
  // Where nothing builds or starts, a site may still lie there as it is to be served.
  return given.length === 0 ? (detectSite(view) ?? nothing(view)) : (given.find(isUndetected) ?? nothing(view));
}

/** A site that package.json builds beside a service in another language is that service's own affair. */
function withoutMere(drafts: readonly Draft[]): readonly Draft[] {
  const services = drafts.filter(({ ecosystem }) => ecosystem !== "static");
  return services.length === 0 ? drafts : services;
}

function both(first: Draft, second: Draft, answers: Answers): Undetected {
  const names = Object.entries(answers).flatMap(([name, answer]) =>
    answer === undefined || isUndetected(answer) ? [] : name,
  );
  const start = (draft: Draft) => draft.found.find(({ what }) => what === "start");
  return undetected(
    `this could be a service in ${names.join(" or in ")}: ${[first, second].map((draft) => `"${start(draft)?.value}" (${start(draft)?.why})`).join(" and ")}`,
    `Say which one it is in a Procfile, e.g. web: ${start(first)?.value}.`,
    "Or write slipway.yaml yourself (docs/guides/slipway-yaml.md).",
  );
}

const kinds = [
  "Node: package.json with a script start (or main), and package-lock.json",
  "Python: requirements.txt, and a Flask, FastAPI or Django app or a Procfile",
  "Go: go.mod, and a package main at the top or in cmd/",
  "a static site: index.html",
].join("; ");

function nothing(view: RepositoryView): Undetected {
  const inside = view.paths.filter((path) =>
    /^[^/]+\/(package\.json|requirements\.txt|pyproject\.toml|go\.mod)$/.test(path),
  );
  const [first] = inside;
  if (hasDockerfile(view)) return dockerfileAlone(view);
  if (first !== undefined) {
    const folder = first.slice(0, first.indexOf("/"));
    return undetected(
      `nothing at the top of the repository says what it is; there is ${inside.slice(0, 5).join(", ")}`,
      `Push that folder alone: git subtree push --prefix ${folder} slipway main.`,
      "Or write a slipway.yaml at the top whose steps build it (docs/guides/slipway-yaml.md).",
    );
  }
  return undetected(
    `no kind of repository that is known: ${kinds}`,
    "Add one of these.",
    "Or write slipway.yaml yourself (docs/guides/slipway-yaml.md).",
  );
}

function dockerfileAlone(view: RepositoryView): Undetected {
  const port = exposedPort(view);
  return undetected(
    `there is a Dockerfile${port === undefined ? "" : ` (it exposes ${port})`} and nothing else that says how to build it; Dockerfiles are built on Kubernetes, where there is BuildKit`,
    "Build it elsewhere and add it: slipway artifacts add IMAGE@DIGEST (docs/guides/external-images.md); or say in slipway.yaml how: a step with image:, and image.base for your FROM line.",
    "Where builds run on Kubernetes with a BuildKit image a push builds it as it is, or as slipway.yaml says: pipeline: { container: { uses: dockerfile, network: registries } } and image: { from: container }.",
  );
}

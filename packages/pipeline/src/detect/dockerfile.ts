import type { Found } from "./found.ts";
import type { RepositoryView } from "./repository-view.ts";

function dockerfileOf({ texts }: RepositoryView): string | undefined {
  return texts.Dockerfile ?? texts.Containerfile;
}

/** Its name, where there is one. */
export function dockerfileName({ texts }: RepositoryView): "Dockerfile" | "Containerfile" {
  return texts.Dockerfile === undefined && texts.Containerfile !== undefined ? "Containerfile" : "Dockerfile";
}

export function hasDockerfile(view: RepositoryView): boolean {
  return dockerfileOf(view) !== undefined;
}

/** The first port of its first EXPOSE line. */
export function exposedPort(view: RepositoryView): string | undefined {
  return /^\s*EXPOSE\s+(\d+)/im.exec(dockerfileOf(view) ?? "")?.[1];
}

/** What a repository that is built without its Dockerfile should know of it. */
export function dockerfileFound(view: RepositoryView): Found[] {
  if (!hasDockerfile(view)) return [];
  const port = exposedPort(view);
  const why = "the image is made from the steps; where Dockerfiles are built, a step with uses: dockerfile takes it";
  return [{ what: "Dockerfile", value: "not used", why }, ...portFound(port)];
}

function portFound(port: string | undefined): Found[] {
  if (port === undefined) return [];
  const why = `the Dockerfile exposes ${port}: the service must not insist on it`;
  return [{ what: "port", value: "the one in $PORT", why }];
}

/** What a repository that is built by its Dockerfile should know. */
export function dockerfileUsed(view: RepositoryView): {
  readonly found: readonly Found[];
  readonly notes: readonly string[];
} {
  const used = { what: "Dockerfile", value: dockerfileName(view), why: "nothing else says how to build it" };
  return {
    found: [used, ...portFound(exposedPort(view))],
    notes: ["requests come once / answers 200: name another path in workload.ready.path"],
  };
}

import type { Found } from "./found.ts";
import type { RepositoryView } from "./repository-view.ts";

function dockerfileOf({ texts }: RepositoryView): string | undefined {
  return texts.Dockerfile ?? texts.Containerfile;
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
  const why = "there is no image builder here; the image is made from the steps";
  return [
    { what: "Dockerfile", value: "not used", why },
    ...(port === undefined
      ? []
      : [
          {
            what: "port",
            value: "the one in $PORT",
            why: `the Dockerfile exposes ${port}: the service must not insist on it`,
          },
        ]),
  ];
}

import type { RepositoryView } from "./repository-view.ts";

/** The `web:` line of a Procfile; undefined where there is no file or no such line. */
export function webProcess(view: RepositoryView): string | undefined {
  const lines = (view.texts.Procfile ?? "").split(/\r\n|\r|\n/);
  const match = lines.map((line) => /^\s*web\s*:\s*(.*?)\s*$/.exec(line)).find((found) => found !== null);
  return match?.[1] === "" ? undefined : match?.[1];
}

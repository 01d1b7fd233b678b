import type { Found } from "./found.ts";
import { isTest, type RepositoryView } from "./repository-view.ts";

/** Paths that health endpoints go by, the most usual first. */
const usual = ["/healthz", "/health", "/readyz", "/ready", "/livez", "/up", "/ping", "/_health", "/api/health"];

/** Where the readiness probe asks: a health endpoint that a source file names, else `/`. */
export function readyPath(view: RepositoryView, isSource: RegExp): { path: string; found: Found; note?: string } {
  const sources = Object.entries(view.texts).filter(([path]) => isSource.test(path) && !isTest(path));
  for (const path of usual) {
    const file = sources.find(([, text]) => quotes(text, path))?.[0];
    if (file !== undefined) return { path, found: { what: "ready", value: path, why: `${file} answers it` } };
  }
  return {
    path: "/",
    found: { what: "ready", value: "/", why: "no source file names a health endpoint" },
    note: "A pod counts as ready when / answers 200 to 399. Better: answer /healthz and set workload.ready.path to it.",
  };
}

/** The path as a string of its own, also behind a method as Go writes it: `"GET /healthz"`. */
function quotes(text: string, path: string): boolean {
  return new RegExp(`["'\`](?:[A-Z]+ )?${path}/?["'\`]`).test(text);
}

import { z } from "zod";

/** A path inside the workspace in its shortest form: nothing absolute, no `.`, no way up, not git's own folder. */
function isInside(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== ".." && part !== ".git");
}

const CachePath = z
  .string()
  .max(500)
  .refine(
    (path) => !path.includes("\0") && isInside(path.startsWith("~/") ? path.slice(2) : path) && path !== "~",
    "not a folder inside the workspace (node_modules) or the step's home (~/.cache/pip)",
  );

const KeyPath = z
  .string()
  .max(500)
  .refine((path) => !path.includes("\0") && isInside(path) && !path.startsWith("~"), "not a file inside the workspace");

/** What of a step is kept between builds. */
export const StepCache = z.strictObject({
  /** Files of the workspace; while their content is the same, what was kept fits. */
  key: z.array(KeyPath).min(1).max(20),
  /** Folders of the workspace, or `~/…` of the step's home. None for a step that builds a Dockerfile, which keeps what its RUN lines made. */
  paths: z
    .array(CachePath)
    .min(1)
    .max(20)
    .refine((paths) => !overlaps(paths), "one of the paths is inside another, or there twice")
    .optional(),
});
export type StepCache = z.infer<typeof StepCache>;

function overlaps(paths: readonly string[]): boolean {
  return paths.some((path, at) => paths.some((other, index) => index !== at && `${other}/`.startsWith(`${path}/`)));
}

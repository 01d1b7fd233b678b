import { z } from "zod";

const parts = (path: string): readonly string[] => path.split("/");

/** What a step that uses `dockerfile` builds: a Dockerfile of the repository, whose context is all that the step is given. */
export const DockerfileBuild = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(1_000)
    .refine(
      (path) => !path.startsWith("/") && !path.endsWith("/") && !parts(path).includes("..") && !path.includes("\0"),
      "is not a path inside the repository",
    )
    .default("Dockerfile"),
  /** The stage that becomes the image; the last one where nothing is said. */
  target: z
    .string()
    .regex(/^[A-Za-z0-9][\w.-]{0,127}$/, "is not the name of a stage")
    .optional(),
  /** Values of its `ARG`s. They are in the image's history: nothing secret. */
  args: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "an ARG is letters, digits and _, starting with no digit"),
      z.string().max(10_000),
    )
    .default({}),
});
export type DockerfileBuild = z.infer<typeof DockerfileBuild>;

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";
import { OciError } from "./errors.ts";

/** A Python of this machine. */
export type HostPython = {
  /** The program itself, no link and no shim. */
  readonly executable: string;
  /** e.g. `/usr`. */
  readonly prefix: string;
  /** e.g. `/usr/lib/python3.13`. */
  readonly stdlib: string;
  /** e.g. `3.13.5`. */
  readonly version: string;
};

const askWithinMs = 60_000;
const program = `
import json, os, platform, sys
print(json.dumps({
  "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
  "prefix": os.path.realpath(sys.base_prefix),
  "stdlib": os.path.realpath(os.path.dirname(os.__file__)),
  "version": platform.python_version(),
}))
`;
const Answer = z.object({
  executable: z.string().startsWith("/"),
  prefix: z.string().startsWith("/"),
  stdlib: z.string().startsWith("/"),
  version: z.string().regex(/^3\.\d+\.\d+/),
});

/** The Python that people of this machine would get. Throws `invalid`, with the remedy, where there is none. */
export async function findPython(
  programs: readonly string[] = ["python3", "/usr/bin/python3", "/usr/local/bin/python3"],
): Promise<HostPython> {
  for (const name of programs) {
    const asked = await promisify(execFile)(name, ["-I", "-c", program], { timeout: askWithinMs, cwd: "/" }).catch(
      () => undefined,
    );
    const parsed = Answer.safeParse(readJson(asked?.stdout ?? ""));
    if (parsed.success && parsed.data.stdlib.startsWith(`${parsed.data.prefix}/`)) return parsed.data;
  }
  const remedy = "install python3 there, or name an image as the base: image.base: python:3.13-slim";
  throw new OciError("invalid", `the base python3 is made from the build machine's Python, and it has none: ${remedy}`);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

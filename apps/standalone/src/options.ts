import { resolve } from "node:path";
import { parseArgs } from "node:util";

export type Options = {
  readonly once: boolean;
  readonly report: string | undefined;
  readonly fresh: boolean;
  readonly noIsolation: boolean;
  readonly noStory: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
  readonly dataDir: string;
};

export const usage = `Usage: npm start -- [options]

  --once              run the story once and end: exit code 0 only if all of it held
  --report FILE       write what happened as JSON (default with --once: run.json)
  --fresh             stop what runs on the data folder and wipe it first
  --no-story          start the platform and nothing else
  --no-isolation      run build steps without isolation; what they build is barred from prod
  --data DIR          the data folder (default: .slipway in the checkout)
  --verbose           show the log lines of builds
  --help              this text
`;

const flags = {
  once: { type: "boolean" },
  report: { type: "string" },
  fresh: { type: "boolean" },
  "no-story": { type: "boolean" },
  "no-isolation": { type: "boolean" },
  data: { type: "string" },
  verbose: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/** Reads the command line. Returns a sentence for people where it cannot be understood. */
export function readOptions(args: readonly string[], home: string, cwd: string): Options | string {
  try {
    const { values } = parseArgs({ args: [...args], options: flags, strict: true, allowPositionals: false });
    const once = values.once ?? false;
    const report = values.report ?? (once ? "run.json" : undefined);
    return {
      once,
      report: report === undefined ? undefined : resolve(cwd, report),
      fresh: values.fresh ?? false,
      noIsolation: values["no-isolation"] ?? false,
      noStory: values["no-story"] ?? false,
      verbose: values.verbose ?? false,
      help: values.help ?? false,
      dataDir: values.data === undefined ? resolve(home, ".slipway") : resolve(cwd, values.data),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

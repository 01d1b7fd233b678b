const names = ["PATH", "NODE_COMPILE_CACHE"] as const;

/** All that a process which a test starts takes over from the test's own environment: none of the settings of the run. */
export function programEnv(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

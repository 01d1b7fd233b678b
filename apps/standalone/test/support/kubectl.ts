import { join } from "node:path";
import { type Ran, runCommand, runUntil } from "./run-command.ts";

/** What kubectl answered about one region. */
export type KubectlAnswers = {
  readonly wide: Ran;
  readonly yaml: Ran;
  readonly describe: Ran;
  readonly logs: Ran;
  /** First words of the commands that never end. */
  readonly watched: string;
  readonly followed: string;
};

export async function kubectlIsThere(): Promise<boolean> {
  return (await runCommand("kubectl", ["version", "--client"])).code === 0;
}

/** The reading commands, as a person would type them. */
export async function askKubectl(dataDir: string, region: string): Promise<KubectlAnswers> {
  const config = ["--kubeconfig", join(dataDir, "regions", region, "api", "kubeconfig")];
  const run = (...args: readonly string[]) => runCommand("kubectl", [...config, ...args]);
  const until = (enough: RegExp, ...args: readonly string[]) => runUntil("kubectl", [...config, ...args], enough);
  const wide = await run("get", "pods,virtualservices", "-A", "-o", "wide");
  const pod = /\b(orders-\S+)/.exec(wide.out)?.[1] ?? "none";
  return {
    wide,
    yaml: await run("get", "virtualservice", "orders", "-o", "yaml"),
    describe: await run("describe", "pod", pod),
    logs: await run("logs", pod),
    watched: await until(/slipway\.dev\/fence/, "get", "virtualservice", "orders", "-o", "yaml", "-w"),
    followed: await until(/\n/, "logs", "-f", pod),
  };
}

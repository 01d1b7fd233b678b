import type { EnvironmentName, RegionName, ServiceName, VersionName } from "@slipway/kernel";

export type RegionAccess = { readonly name: string; readonly kubeconfig: string; readonly context: string };

export type TakeBack = {
  readonly service: ServiceName;
  readonly environment: EnvironmentName;
  readonly version: VersionName;
  readonly regions: readonly RegionName[];
  /** The version that served before, by region; missing or null = the base Service, which selects the live version. */
  readonly baselines: Readonly<Record<string, string | null>>;
};

/**
 * One line per region that gives all traffic to the baseline, with Slipway up or down. The annotation keeps Slipway from
 * raising anything there until a person takes it off; lowering stays possible.
 */
export function takeBackLines(of: TakeBack, access: readonly RegionAccess[]): readonly string[] {
  return of.regions.map((region) => {
    const patch = JSON.stringify(takeBackPatch(of, of.baselines[region] ?? of.service));
    const words = ["-n", of.environment, "patch", "virtualservice", of.service, "--type=merge", "-p", patch];
    return kubectl(region, access, words);
  });
}

/** Shows the pods by which the proxies of a region are given their routes. */
export function istiodLine(region: RegionName, access: readonly RegionAccess[]): string {
  return kubectl(region, access, ["-n", "istio-system", "get", "pods", "-l", "app=istiod"]);
}

function kubectl(region: RegionName, access: readonly RegionAccess[], words: readonly string[]): string {
  const entry = access.find((one) => one.name === region);
  const where =
    entry === undefined ? ["--context", region] : ["--kubeconfig", entry.kubeconfig, "--context", entry.context];
  return ["kubectl", ...where, ...words].map(shellWord).join(" ");
}

function takeBackPatch({ version }: TakeBack, baseline: string): unknown {
  return {
    metadata: { annotations: { "slipway.dev/paused": "taken back by hand" } },
    spec: {
      http: [
        {
          name: "slipway",
          route: [
            { destination: { host: baseline }, weight: 100 },
            { destination: { host: version }, weight: 0 },
          ],
        },
      ],
    },
  };
}

/** A word that any POSIX shell reads back as it is. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

import { join } from "node:path";
import type { RegionEntry } from "@slipway/host";
import type { RegionName } from "@slipway/kernel";
import { type Endpoints, readEndpoints } from "./data-folder.ts";
import { keepPort, tryPort } from "./ports.ts";
import { isAlive } from "./processes/identity.ts";
import type { PidFiles } from "./processes/pid-files.ts";

export const regionNames = ["us-east-1", "eu-west-1", "ap-southeast-1"] as RegionName[];

/** Where everything of a laptop's platform listens. */
export type Layout = {
  readonly platformPort: number;
  readonly rollbackPort: number;
  readonly regions: readonly LayoutRegion[];
};

/** `local`: it is one of this laptop's own, with processes that the platform starts. Without it the region is somebody else's cluster. */
export type LayoutRegion = RegionEntry & { readonly local?: LocalRegion };

export type LocalRegion = {
  readonly apiPort: number;
  readonly meshPort: number;
  readonly adminPort: number;
  readonly adminUrl: string;
};

const firstPort = 7400;
const lastPort = 7419;

export type Asked = {
  readonly port: number | undefined;
  readonly regions: readonly RegionEntry[] | undefined;
  /** Where the platform will listen. */
  readonly host: string;
  /** Ports that looked free and were refused all the same: not chosen again. */
  readonly refused: ReadonlySet<number>;
};

/** Chooses ports: those of before where they are free or held by our own processes. Returns a sentence where the asked port is taken. */
export async function chooseLayout(dataDir: string, pids: PidFiles, asked: Asked): Promise<Layout | string> {
  const { port: askedPort, host, refused } = asked;
  const before = readEndpoints(dataDir);
  const platformPort =
    askedPort === undefined
      ? await firstFree(before.platform?.port, [firstPort, lastPort], { host, refused })
      : await tryPort(askedPort, host);
  if (platformPort === undefined) {
    return askedPort === undefined
      ? `port.taken: every port from ${firstPort} to ${lastPort} is taken. Name a free one in SLIPWAY_PORT.`
      : `port.taken: port ${askedPort} (SLIPWAY_PORT) is taken by another program. Stop it, or name another port.`;
  }
  const given = new Set([platformPort, ...refused]);
  const rollbackPort = await portOf(pids, "rollback-controller", before.rollback, given);
  if (asked.regions !== undefined) return { platformPort, rollbackPort, regions: asked.regions };
  const regions = [];
  for (const name of regionNames) regions.push(await regionLayout(dataDir, pids, { name, before, given }));
  return { platformPort, rollbackPort, regions };
}

/** The port of before, or the first of the range that nobody has and none that was refused. */
export async function firstFree(
  before: number | undefined,
  [first, last]: readonly [number, number],
  { host, refused }: Partial<Pick<Asked, "host" | "refused">> = {},
): Promise<number | undefined> {
  const candidates = [before, ...Array.from({ length: last - first + 1 }, (_, i) => first + i)];
  for (const port of candidates) {
    const free = port === undefined || refused?.has(port) === true ? undefined : await tryPort(port, host);
    if (free !== undefined) return free;
  }
  return undefined;
}

async function regionLayout(
  dataDir: string,
  pids: PidFiles,
  { name, before, given }: { readonly name: RegionName; readonly before: Endpoints; readonly given: Set<number> },
): Promise<LayoutRegion> {
  const known = before.regions[name];
  const apiPort = await portOf(pids, name, known?.api, given);
  const meshPort = await portOf(pids, `mesh-${name}`, known?.mesh, given);
  const adminPort = await portOf(pids, `mesh-${name}`, known?.admin, given);
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  return {
    name,
    kubeconfig: join(dataDir, "regions", name, "api", "kubeconfig"),
    context: name,
    mesh_url: `http://127.0.0.1:${meshPort}`,
    metrics_url: `scrape:${adminUrl}/metrics`,
    local: { apiPort, meshPort, adminPort, adminUrl },
  };
}

/** A process of ours that is still there keeps its port. */
async function portOf(pids: PidFiles, name: string, before: number | undefined, given: Set<number>): Promise<number> {
  const file = pids.read(name);
  if (before === undefined || file === undefined || !isAlive(file)) return keepPort(before, given);
  given.add(before);
  return before;
}

export function endpointsOf(layout: Layout): Endpoints {
  const { platformPort, rollbackPort, regions } = layout;
  return {
    platform: { url: `http://127.0.0.1:${platformPort}`, port: platformPort },
    rollback: rollbackPort,
    regions: Object.fromEntries(
      regions.flatMap(({ name, local }) =>
        local === undefined ? [] : [[name, { api: local.apiPort, mesh: local.meshPort, admin: local.adminPort }]],
      ),
    ),
  };
}

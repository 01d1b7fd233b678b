/** One package that a lock file brings in. */
export type LockedPackage = { readonly name: string; readonly version: string };

/** The part of an OSV record (https://ossf.github.io/osv-schema/) that is looked at. */
export type Advisory = {
  readonly id: string;
  readonly summary: string;
  readonly affected: readonly {
    readonly package: { readonly ecosystem: string; readonly name: string };
    readonly ranges?: readonly {
      readonly type: string;
      readonly events: readonly {
        readonly introduced?: string;
        readonly fixed?: string;
        readonly last_affected?: string;
      }[];
    }[];
    readonly versions?: readonly string[];
  }[];
};

export type AdvisoryFinding = LockedPackage & {
  readonly id: string;
  readonly summary: string;
  readonly fixedIn: string | null;
};

/** The packages of a package-lock.json, versions 1 to 3. Throws on a file that is none. */
export function readPackageLock(text: string): LockedPackage[] {
  const lock: unknown = JSON.parse(text);
  if (!isRecord(lock)) throw new Error("not a lock file");
  const found = isRecord(lock.packages) ? fromPackages(lock.packages) : fromTree(lock.dependencies);
  return [...new Map(found.map((entry) => [`${entry.name}@${entry.version}`, entry])).values()];
}

function fromPackages(packages: Record<string, unknown>): LockedPackage[] {
  return Object.entries(packages).flatMap(([path, entry]) => {
    const inTree = path.split("node_modules/").at(-1) ?? "";
    if (path === "" || !isRecord(entry) || typeof entry.version !== "string") return [];
    const name = typeof entry.name === "string" ? entry.name : inTree;
    return path.includes("node_modules/") ? [{ name, version: entry.version }] : [];
  });
}

function fromTree(dependencies: unknown): LockedPackage[] {
  if (!isRecord(dependencies)) return [];
  return Object.entries(dependencies).flatMap(([name, entry]) => {
    if (!isRecord(entry)) return [];
    const own = typeof entry.version === "string" ? [{ name, version: entry.version }] : [];
    return [...own, ...fromTree(entry.dependencies)];
  });
}

/** The advisories that hold for these packages. */
export function findAdvisories(packages: readonly LockedPackage[], advisories: readonly Advisory[]): AdvisoryFinding[] {
  return packages.flatMap((locked) =>
    advisories.flatMap(({ id, summary, affected }) => {
      const hit = affected.find(
        (entry) =>
          entry.package.ecosystem === "npm" && entry.package.name === locked.name && isAffected(entry, locked.version),
      );
      return hit === undefined ? [] : [{ ...locked, id, summary, fixedIn: fixOf(hit, locked.version) }];
    }),
  );
}

type Affected = Advisory["affected"][number];

function isAffected(entry: Affected, version: string): boolean {
  return (
    entry.versions?.includes(version) === true || (entry.ranges ?? []).some((range) => inRange(range.events, version))
  );
}

/** Walks the events in order of version: `introduced` opens, `fixed` closes before it, `last_affected` after it. */
function inRange(events: NonNullable<Affected["ranges"]>[number]["events"], version: string): boolean {
  let affected = false;
  const marks = [...events].sort((a, b) => compareVersions(markOf(a), markOf(b)));
  for (const event of marks) {
    if (event.introduced !== undefined && compareVersions(event.introduced, version) <= 0) affected = true;
    if (event.fixed !== undefined && compareVersions(event.fixed, version) <= 0) affected = false;
    if (event.last_affected !== undefined && compareVersions(event.last_affected, version) < 0) affected = false;
  }
  return affected;
}

function markOf(event: { introduced?: string; fixed?: string; last_affected?: string }): string {
  return event.introduced ?? event.fixed ?? event.last_affected ?? "0";
}

function fixOf(entry: Affected, version: string): string | null {
  const fixes = (entry.ranges ?? []).flatMap((range) => range.events.flatMap((event) => event.fixed ?? []));
  return fixes.filter((fix) => compareVersions(fix, version) > 0).sort(compareVersions)[0] ?? null;
}

/** Semantic versioning 2.0.0, section 11. Build metadata does not count; a pre-release comes before its release. */
export function compareVersions(a: string, b: string): number {
  const [coreA, preA] = splitVersion(a);
  const [coreB, preB] = splitVersion(b);
  const core = compareParts(coreA, coreB);
  if (core !== 0) return core;
  if (preA.length === 0 || preB.length === 0) return preB.length - preA.length;
  return compareParts(preA, preB);
}

function splitVersion(version: string): [core: string[], preRelease: string[]] {
  const plain = version.replace(/^[v=\s]+/, "").split("+")[0] ?? "";
  const dash = plain.indexOf("-");
  if (dash === -1) return [plain.split("."), []];
  return [plain.slice(0, dash).split("."), plain.slice(dash + 1).split(".")];
}

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const order = comparePart(a[index], b[index]);
    if (order !== 0) return order;
  }
  return 0;
}

function comparePart(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return (a === undefined ? 0 : 1) - (b === undefined ? 0 : 1);
  const numeric = [a, b].map((part) => /^\d+$/.test(part));
  if (numeric[0] && numeric[1]) return Math.sign(Number(a) - Number(b));
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
  return a === b ? 0 : a < b ? -1 : 1;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

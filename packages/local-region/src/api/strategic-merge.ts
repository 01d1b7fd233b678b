import { isRecord } from "./stored.ts";

/** By which field the items of a list are one and the same, as Kubernetes declares it for the kinds that are kept here; other lists are replaced whole. */
const mergeKeys: Readonly<Record<string, readonly string[]>> = {
  ...{ containers: ["name"], initContainers: ["name"], env: ["name"], volumes: ["name"], imagePullSecrets: ["name"] },
  ...{ ports: ["containerPort", "port"], volumeMounts: ["mountPath"], volumeDevices: ["devicePath"] },
  ...{ hostAliases: ["ip"], podIPs: ["ip"], topologySpreadConstraints: ["topologyKey"] },
  ...{ conditions: ["type"], addresses: ["type"], taints: ["key"], ownerReferences: ["uid"] },
};
/** Lists of plain values that a patch adds to. */
const mergedValues: readonly string[] = ["finalizers"];

const order = "$setElementOrder/";
const dropped = "$deleteFromPrimitiveList/";

type Fields = Readonly<Record<string, unknown>>;

/**
 * A strategic merge patch on a copy, as kubectl makes it for Kubernetes' own kinds: lists of named things are merged by their names, and
 * directives (`$patch`, `$retainKeys`, `$setElementOrder`, `$deleteFromPrimitiveList`) are followed.
 */
export function applyStrategicPatch(target: unknown, patch: Fields): Fields {
  const { $patch: directive, $retainKeys: retained, ...fields } = patch;
  if (directive === "delete") return {};
  const before = directive === "replace" || !isRecord(target) ? {} : target;
  const kept = Object.entries(before).filter(([name]) => !Array.isArray(retained) || retained.includes(name));
  const result = new Map(kept);
  for (const [name, value] of Object.entries(fields).filter(([field]) => !field.startsWith("$"))) {
    const next = value === null ? undefined : merged(name, before[name], value);
    if (next === undefined) result.delete(name);
    else result.set(name, next);
  }
  for (const [name, value] of Object.entries(fields)) changeList(result, before, name, value);
  return Object.fromEntries(result);
}

/** Undefined where the patch takes it away. */
function merged(name: string, before: unknown, value: unknown): unknown {
  if (isRecord(value)) return value.$patch === "delete" ? undefined : applyStrategicPatch(before, value);
  if (!Array.isArray(value)) return value;
  const known = listOf(before);
  if (mergedValues.includes(name)) return inOrder([...new Set([...known, ...value])], value, known, (item) => item);
  const key = keyOf(name, value);
  if (key === undefined) return value.map((item) => (isRecord(item) ? applyStrategicPatch({}, item) : item));
  const items = value.filter(isRecord);
  const changes = items.filter(({ $patch }) => $patch !== "replace");
  if (changes.length < items.length) return changes.map((item) => applyStrategicPatch({}, item));
  return inOrder(mergeItems(key, known, changes), changes, known, nameBy(key));
}

function mergeItems(key: string, before: readonly unknown[], changes: readonly Fields[]): readonly unknown[] {
  let result = [...before];
  for (const change of changes) {
    const at = result.findIndex((item) => isRecord(item) && item[key] === change[key]);
    if (change.$patch === "delete") result = result.filter((_, index) => index !== at);
    else if (at === -1) result.push(applyStrategicPatch({}, change));
    else result[at] = applyStrategicPatch(result[at], change);
  }
  return result;
}

/** The field that all items of a patch have, of those that name the items of such a list. */
function keyOf(name: string, items: readonly unknown[]): string | undefined {
  const named = items.filter((item) => !isRecord(item) || item.$patch !== "replace");
  return mergeKeys[name]?.find((key) => named.every((item) => isRecord(item) && item[key] !== undefined));
}

function nameBy(key: string | undefined): (item: unknown) => unknown {
  return (item) => (key !== undefined && isRecord(item) ? item[key] : item);
}

/** What a directive says of a list beside the patch of its items. */
function changeList(result: Map<string, unknown>, before: Fields, directive: string, value: unknown): void {
  const prefix = [order, dropped].find((one) => directive.startsWith(one));
  if (prefix === undefined) return;
  const name = directive.slice(prefix.length);
  const list = listOf(result.get(name));
  const named = listOf(value);
  if (list.length === 0) return;
  const without = () => list.filter((item) => !named.includes(item));
  const ordered = () => inOrder(list, named, listOf(before[name]), nameBy(keyOf(name, named)));
  result.set(name, prefix === dropped ? without() : ordered());
}

/**
 * Those that the patch names in its order, the others among them where they stood: before the first of those that they stood before, and after
 * what was not there at all.
 */
function inOrder(
  list: readonly unknown[],
  wanted: readonly unknown[],
  before: readonly unknown[],
  nameOf: (item: unknown) => unknown,
): readonly unknown[] {
  const [places, stood] = [wanted.map(nameOf), before.map(nameOf)];
  const named = list.filter((item) => places.includes(nameOf(item)));
  const others = list.filter((item) => !places.includes(nameOf(item)));
  const result: unknown[] = [];
  for (const item of named.toSorted((one, other) => places.indexOf(nameOf(one)) - places.indexOf(nameOf(other)))) {
    const place = stood.indexOf(nameOf(item));
    while (others.length > 0 && stood.indexOf(nameOf(others[0])) < place) result.push(others.shift());
    result.push(item);
  }
  return [...result, ...others];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

import { badRequest } from "./api-error.ts";
import { idOf, type Resource } from "./resources.ts";
import { fieldAt, type Stored } from "./stored.ts";

export type Matcher = (object: Stored) => boolean;

type Labels = Readonly<Record<string, string>>;

/** A label selector in its query form: `a=b,c!=d,e in (f,g),h,!i`. Throws ApiError 400 for one that cannot be read. */
export function labelMatcher(selector: string): Matcher {
  const requirements = splitOutsideParentheses(selector).map(requirementOf);
  return ({ metadata }) => requirements.every((requirement) => requirement(metadata.labels ?? {}));
}

function splitOutsideParentheses(selector: string): string[] {
  return (selector.match(/(?:[^,(]|\([^)]*\))+/g) ?? []).map((part) => part.trim()).filter((part) => part !== "");
}

function requirementOf(text: string): (labels: Labels) => boolean {
  const set = /^([^\s!=()]+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, name = "", operator, list = ""] = set;
    const values = new Set(list.split(",").map((value) => value.trim()));
    return (labels) => {
      const value = labelValue(labels, name);
      return operator === "in" ? value !== undefined && values.has(value) : value === undefined || !values.has(value);
    };
  }
  const equality = /^([^\s!=()]+)\s*(!=|==?)\s*([^\s!=()]*)$/.exec(text);
  if (equality !== null) {
    const [, name = "", operator, value = ""] = equality;
    return (labels) => (labelValue(labels, name) === value) === (operator !== "!=");
  }
  const existence = /^(!?)\s*([^\s!=()]+)$/.exec(text);
  if (existence === null) throw badRequest(`unable to parse requirement: ${text}`);
  const [, not, name = ""] = existence;
  return (labels) => (labelValue(labels, name) !== undefined) === (not === "");
}

function labelValue(labels: Labels, name: string): string | undefined {
  return Object.hasOwn(labels, name) ? labels[name] : undefined;
}

/** `spec.selector` of a workload: matchLabels and matchExpressions. An absent one matches nothing. */
export function matchesSelector(selector: unknown, labels: Labels): boolean {
  const matchLabels = Object.entries((fieldAt(selector, "matchLabels") ?? {}) as Labels);
  const expressions = (fieldAt(selector, "matchExpressions") ?? []) as readonly Expression[];
  if (matchLabels.length === 0 && expressions.length === 0) return false;
  return (
    matchLabels.every(([name, value]) => labelValue(labels, name) === value) &&
    expressions.every((expression) => matchesExpression(expression, labels))
  );
}

type Expression = { readonly key: string; readonly operator: string; readonly values?: readonly string[] };

function matchesExpression({ key, operator, values = [] }: Expression, labels: Labels): boolean {
  const value = labelValue(labels, key);
  if (operator === "Exists") return value !== undefined;
  if (operator === "DoesNotExist") return value === undefined;
  const included = value !== undefined && values.includes(value);
  return operator === "In" ? included : !included;
}

const everywhere = ["metadata.name", "metadata.namespace"];
const selectable: Readonly<Record<string, readonly string[]>> = {
  "/pods": [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
  ].concat("status.phase", "status.podIP", "status.nominatedNodeName"),
  "/namespaces": ["status.phase"],
  "/services": ["spec.clusterIP", "spec.type"],
  "/nodes": ["spec.unschedulable"],
  "/events": ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"]
    .map((field) => `involvedObject.${field}`)
    .concat("reason", "reportingComponent", "source", "type"),
  "apps/replicasets": ["status.replicas"],
};

/** A field selector: `metadata.name=orders,status.phase!=Running`. Throws ApiError 400 for fields that cannot be asked for. */
export function fieldMatcher(resource: Resource, selector: string): Matcher {
  const known = [...everywhere, ...(selectable[idOf(resource)] ?? [])];
  const requirements = selector
    .split(",")
    .filter((part) => part !== "")
    .map((part): Matcher => {
      const match = /^([^!=]+)(!=|==?)(.*)$/.exec(part);
      if (match === null) throw badRequest(`invalid field selector: ${selector}`);
      const [, field = "", operator, value = ""] = match;
      if (!known.includes(field)) throw badRequest(`field label not supported: ${field}`);
      return (object) => (fieldText(object, field) === value) === (operator !== "!=");
    });
  return (object) => requirements.every((requirement) => requirement(object));
}

function fieldText(object: Stored, field: string): string {
  const path = field === "source" ? ["source", "component"] : field.split(".");
  const value = fieldAt(object, ...path);
  if (value === undefined || value === null) return field === "spec.hostNetwork" ? "false" : "";
  return String(value);
}

import type { Cause } from "./api-error.ts";
import type { Resource } from "./resources.ts";

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const serviceLabel = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const labelName = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** What is wrong with an object's name. */
export function nameCauses(resource: Resource, name: string): Cause[] {
  const [pattern, limit, words] = ruleOf(resource);
  if (name.length <= limit && pattern.test(name)) return [];
  return [
    {
      reason: "FieldValueInvalid",
      message: `Invalid value: ${JSON.stringify(name)}: ${words}`,
      field: "metadata.name",
    },
  ];
}

function ruleOf(resource: Resource): readonly [RegExp, number, string] {
  const end = "must consist of lower case alphanumeric characters, and must start and end with one";
  if (resource.shortName) return [serviceLabel, 63, `a DNS-1035 label ${end}, the first a letter`];
  if (resource.kind === "Namespace") return [label, 63, `a lowercase RFC 1123 label ${end}`];
  return [subdomain, 253, `a lowercase RFC 1123 subdomain ${end}`];
}

/** What is wrong with labels and with the names of annotations. */
export function labelCauses(metadata: {
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}): Cause[] {
  const named = (field: "labels" | "annotations") =>
    Object.keys(metadata[field] ?? {})
      .filter((name) => !labelName.test(field === "annotations" ? name.toLowerCase() : name))
      .map((name) => invalidAt(`metadata.${field}`, name, "name part must consist of alphanumeric characters"));
  const values = Object.values(metadata.labels ?? {})
    .filter((value) => !labelValue.test(value))
    .map((value) => invalidAt("metadata.labels", value, "a valid label must be at most 63 alphanumeric characters"));
  return [...named("labels"), ...named("annotations"), ...values];
}

function invalidAt(field: string, value: string, words: string): Cause {
  return { reason: "FieldValueInvalid", message: `Invalid value: ${JSON.stringify(value)}: ${words}`, field };
}

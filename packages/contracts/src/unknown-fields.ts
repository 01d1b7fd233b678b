import type { z } from "zod";

/**
 * The fields, by their paths, that stand in the way of a strict shape where nothing else does: what follows our own contract and has more than it
 * is of a newer version of it. Undefined where something else is wrong.
 */
export function unknownFields(error: z.core.$ZodError): readonly string[] | undefined {
  const found = error.issues.map(fieldsOf);
  return found.some((fields) => fields === undefined) ? undefined : found.flatMap((fields) => fields ?? []);
}

function fieldsOf(issue: z.core.$ZodIssue): readonly string[] | undefined {
  const at = (field: string) => [...issue.path.map(String), field].join(".");
  if (issue.code === "unrecognized_keys") return issue.keys.map(at);
  if (issue.code !== "invalid_union") return undefined;
  // Of a union's shapes: the one that knows most of it.
  const shapes = issue.errors.map((issues) => issues.map(fieldsOf));
  const ofNewer = shapes.filter((fields) => fields.every((each) => each !== undefined)).map((fields) => fields.flat());
  const [nearest] = ofNewer.sort((one, other) => one.length - other.length);
  return nearest?.map((field) => at(String(field)));
}

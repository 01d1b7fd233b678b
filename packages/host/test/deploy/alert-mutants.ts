import { z } from "zod";

const Rule = z.looseObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.looseObject({ severity: z.enum(["critical", "warning"]) }),
});
export type Rule = z.infer<typeof Rule>;
export const Rules = z.object({ groups: z.array(z.object({ name: z.string(), rules: z.array(Rule) })) });

export type Mutant = { readonly what: string; readonly rule: Rule };

/** The rule with one thing changed at a time, a little: tests that hold it fail with each. */
export function mutantsOf(rule: Rule): readonly Mutant[] {
  const { expr, labels } = rule;
  const seconds = secondsOf(rule.for ?? "0s");
  const durations = [seconds + 15, ...(seconds >= 15 ? [seconds - 15] : [])].map((other) => ({
    what: `for: ${other}s`,
    rule: { ...rule, for: `${other}s` },
  }));
  const limit = /(?<=[<>=] )[\d.]+\s*$/.exec(expr)?.[0].trim();
  const thresholds = limit === undefined ? [] : limitsBeside(Number(limit));
  const severity = labels.severity === "critical" ? ("warning" as const) : ("critical" as const);
  return [
    ...durations,
    ...thresholds.map((other) => ({
      what: `threshold ${other}`,
      rule: { ...rule, expr: expr.replace(/[\d.]+\s*$/, String(other)) },
    })),
    { what: severity, rule: { ...rule, labels: { ...labels, severity } } },
  ];
}

/** What is counted one by one is off by one; of the rest a tenth. */
function limitsBeside(limit: number): readonly number[] {
  if (limit === 0) return [1];
  return Number.isInteger(limit) && limit < 10 ? [limit - 1, limit + 1] : [limit * 0.9, limit * 1.1];
}

function secondsOf(duration: string): number {
  const [, count, unit] = /^(\d+)(s|m|h)$/.exec(duration) ?? [];
  if (count === undefined || unit === undefined) throw new Error(`${duration} is no duration of one unit`);
  return Number(count) * { s: 1, m: 60, h: 3_600 }[unit as "s" | "m" | "h"];
}

import { expect, test } from "vitest";
import { MetricShapeSchema, metricShapes, unreachedFlags } from "./metric-shape.ts";

test.each([
  ["UH", true],
  ["UF", true],
  ["UO", true],
  ["URX,UF", true],
  ["UF,URX", true],
  ["DI,URX,UF", true],
  ["-", false],
  ["URX", false],
  ["DI", false],
  ["UC", false],
  ["URX,UC", false],
  ["UF,DC", false],
  ["UT", false],
  ["NC", false],
  ["UHX", false],
])("flags %s of a caller's proxy say that no pod had the request: %s", (flags, isUnreached) => {
  expect(new RegExp(`^(?:${unreachedFlags})$`).test(flags)).toBe(isUnreached);
});

test("a shape tells what reached no pod by a label that its other series are not told apart by", () => {
  const { unreached, ...others } = metricShapes.istio;
  const named = (label: string) => ({
    ...others,
    unreached: { ...unreached, version: { label, pattern: "{version}" } },
  });

  expect(MetricShapeSchema.safeParse(others).success).toBe(true);
  expect(MetricShapeSchema.safeParse(named("destination_service_name")).success).toBe(true);
  for (const label of ["destination_workload", "pod", "instance", "response_code"])
    expect(MetricShapeSchema.safeParse(named(label)).error?.issues).toMatchObject([
      { path: ["unreached", "version", "label"], message: expect.stringContaining("must be no label of") as string },
    ]);
});

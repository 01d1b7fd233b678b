import { describe, expect, inject, test } from "vitest";

const { kubectl, canary } = inject("story").during;

describe.skipIf(kubectl === undefined)("kubectl (where it is installed) in the middle of the story", () => {
  const answers = Object.entries(kubectl ?? {});

  test.each(answers)("get pods,virtualservices -A -o wide shows what runs in %s", (region, { wide }) => {
    expect(wide.code, wide.err).toBe(0);
    expect(wide.out).toMatch(/NAMESPACE +NAME +READY +STATUS/);
    const pods = wide.out.split("\n").filter((line) => line.includes("pod/orders-"));
    expect(pods.filter((line) => / 1\/1 +Running /.test(line)).length, wide.out).toBeGreaterThanOrEqual(4);
    expect(pods.some((line) => line.includes(`pod/${canary}`))).toBe(true);
    expect(wide.out).toMatch(/virtualservice\.networking\.istio\.io\/orders/);
    expect(wide.out).toContain(region);
  });

  test.each(answers)("get -o yaml shows weights and fence in %s, once and with -w", (_region, { yaml, watched }) => {
    expect(yaml.code, yaml.err).toBe(0);
    expect(yaml.out).toMatch(/slipway\.dev\/fence: \d+\/\d+\/open\/D-\d+/);
    expect(yaml.out).toContain(`host: ${canary}`);
    expect(watched).toMatch(/slipway\.dev\/fence: \d+\/\d+\/open\/D-\d+/);
  });

  test.each(answers)("describe tells of image, node and state in %s", (_region, { describe: text }) => {
    expect(text.code, text.err).toBe(0);
    expect(text.out).toMatch(/Image: +127\.0\.0\.1:\d+\/orders@sha256:[0-9a-f]{64}/);
    expect(text.out).toMatch(/State: +Running/);
    expect(text.out).toMatch(/Events:/);
  });

  test.each(answers)("logs shows what the pod wrote in %s, once and with -f", (_region, { logs, followed }) => {
    expect(logs.code, logs.err).toBe(0);
    expect(logs.out.length).toBeGreaterThan(0);
    expect(followed.split("\n")[0]).toBe(logs.out.split("\n")[0]);
  });
});

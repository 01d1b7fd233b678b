import type { PageFocus } from "@slipway/contracts";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { Focus } from "./focus.tsx";

const counts = { canary_requests: 0, canary_errors: 0, baseline_requests: 0, baseline_errors: 0 };
const judgement = {
  ...{ step: 0, weight_percent: 5, verdict: "NONE", sentence: "No sign of failure in 0 requests." },
  ...{ requests_needed: null, counts, regions: {} },
};
const deployment = {
  ...{ deployment_id: "D-1", service: "orders", environment: "prod", version: "orders-3f2a91c-x7k2p" },
  ...{ git_sha: "3f2a91c", status: "SUCCEEDED", initial: false, rolls_back: null, plan: [], gates: [], regions: {} },
};

/** What people read, without tags. */
function shown(focus: object): string {
  const whole = { deployment, under_way: false, judgement, proven: true, exposure_percent: 0, ...focus };
  const html = renderToStaticMarkup(createElement(Focus, { focus: whole as unknown as PageFocus, recent: [] }));
  return html.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

test("a deployment without a verdict shows no word of the judge's that looks like an unset value", () => {
  expect(shown({})).not.toMatch(/NONE|undefined|null/);
  expect(shown({})).toContain("At 5%. No sign of failure in 0 requests.");
  expect(shown({ under_way: true })).toContain("No verdict yet At 5%.");
  expect(shown({ judgement: { ...judgement, verdict: "FAIL" } })).toContain("FAIL At 5%.");
});

test("one that has ended waits for no verdict, and a first version has nothing beside it", () => {
  expect(shown({ judgement: null })).not.toContain("No verdict yet");
  expect(shown({ judgement: null, under_way: true })).toContain("No verdict yet: the judge begins");
  expect(shown({})).toContain("what served before");
  expect(shown({ deployment: { ...deployment, initial: true } })).not.toContain("what served before");
});

test("why a version counts as proven is said as it is", () => {
  const pass = { verdict: "PASS", weight_percent: 5, sentence: "", counts };
  const under = (more: object) => shown({ under_way: true, judgement: null, deployment: { ...deployment, ...more } });

  expect(under({ initial: true })).toContain("(a first version: nothing served before it)");
  expect(under({ rolls_back: "D-3" })).toContain("(this one served before)");
  expect(under({ gates: [pass] })).toContain("(this one passed at 5%)");
  expect(under({})).toContain("(this one was proven before)");
  expect(shown({ under_way: true, proven: false })).toContain("not proven No verdict yet");
});

import type { PageFocus, PageRegion } from "@slipway/contracts";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { Regions } from "./regions.tsx";

const version = "orders-3f2a91c-x7k2p";

/** What people read of one region, without tags. */
function shown(percent: number, progress: object): string {
  const served = [{ version, percent }].filter((one) => one.percent > 0);
  const regions = [{ name: "eu", served, mesh_url: "http://eu", kubectl: "kubectl" }] as unknown as PageRegion[];
  const deployment = { version, regions: { eu: { state: "shut", weight_percent: 0, ...progress } } };
  const focus = { deployment } as unknown as PageFocus;
  const html = renderToStaticMarkup(createElement(Regions, { regions, focus }));
  return html.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

test("what is written and not yet proven in a region's mesh stands beside what it serves", () => {
  const unproven = { since: "2026-11-30T10:00:00.000Z", from_percent: 5 };

  expect(shown(5, { unproven })).toMatch(/eu shut 5% 0% is written since [^,]+, not yet proven in its mesh/);
  expect(shown(0, { unproven })).not.toContain("not yet proven");
  expect(shown(0, {})).not.toContain("not yet proven");
});

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { approveDeployment, getDeployment, haltDeployment } from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { pidFiles } from "../../src/processes/pid-files.ts";
import { type Platform, startPlatform } from "../support/platform.ts";

const executablePath = "/usr/bin/chromium";
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Conditions are waited for; a loaded machine takes its time. */
const patienceMs = 180_000;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const sizes = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
] as const;
const caught =
  /caught at 5% after \d+ failed requests, back in [\d.]+ s; the usual rule “error rate over 1% for 60 s”: \d+ requests/;

describe.skipIf(!existsSync(executablePath))(
  "the live page in Chromium (skipped where /usr/bin/chromium is not)",
  () => {
    const { dataDir } = inject("story");
    const trouble: string[] = [];
    let platform: Platform;
    let browser: Browser;
    let page: Page;
    let address: string;

    const url = () => new URL("/", address).href;
    const start = async () => {
      platform = startPlatform({ dataDir, args: ["--no-story"] });
      await platform.printed(/Yours now/, patienceMs);
      address = /the live page\s+(\S+#code=\S+)/.exec(platform.output())?.[1] ?? "";
    };

    beforeAll(async () => {
      await start();
      browser = await chromium.launch({ executablePath, args });
      page = await browser.newPage();
      page.setDefaultTimeout(patienceMs);
      page.on("pageerror", (error) => trouble.push(error.message));
    });

    afterAll(async () => {
      await browser?.close();
      await platform?.kill();
    });

    test("without a session it asks for a token, and nothing of the platform is told", async () => {
      await page.goto(url());
      await page.getByLabel("Token").waitFor();

      expect(await violations(page)).toEqual([]);
      for (const path of ["/page/session", "/page/events"])
        expect((await fetch(url() + path.slice(1))).status).toBe(401);
      await page.getByLabel("Token").fill("slp_wrong");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("The token was not accepted").waitFor();
    });

    test("the printed address signs in, once, and leaves no code behind", async () => {
      await page.goto("about:blank");
      await page.goto(address);
      await page.getByText("Live", { exact: true }).waitFor();
      const stranger = await browser.newPage();
      await stranger.goto(address);

      expect(page.url()).toBe(url());
      await stranger.getByText("This code was used already").waitFor();
      expect(await page.evaluate("document.cookie")).toBe("");
      await stranger.close();
    });

    test("the inbox opens with the session, and for nobody without one", async () => {
      await page.getByRole("link", { name: "Inbox" }).click();
      await page.waitForURL("**/page/inbox");
      expect(await page.title()).toMatch(/inbox/i);
      await page.goBack();
      await page.getByText("Live", { exact: true }).waitFor();

      expect((await fetch(new URL("/page/inbox", address))).status).toBe(401);
    });

    test("another site cannot ship with this browser's session, nor a viewer's token", async () => {
      const [cookie] = await page.context().cookies(new URL("/page", address).href);
      const ask = (headers: Record<string, string>) =>
        fetch(new URL("/page/ship", address), {
          method: "POST",
          headers: { "content-type": "application/json", ...headers },
          body: '{"change":"bad"}',
        });
      const session = { cookie: `${cookie?.name}=${cookie?.value}` };

      expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/page" });
      expect((await ask({ ...session, origin: "https://evil.example" })).status).toBe(403);
      expect((await ask({ ...session, "sec-fetch-site": "same-site", origin: new URL(address).origin })).status).toBe(
        403,
      );
      expect((await ask(session)).status).toBe(403);
      expect((await ask({ authorization: `Bearer ${platform.token("viewer")}` })).status).toBe(403);
      expect((await ask({})).status).toBe(401);
    });

    test("a good change that is shipped moves every region's bar to 5 and then to 100", async () => {
      await page.getByRole("button", { name: "Ship a good change" }).click();
      await page.getByText("A good change is on its way").waitFor();
      await bars(page, 5);
      await page.getByText("requests still needed for a PASS").waitFor();

      expect(await page.getByRole("button", { name: "Ship one that fails" }).isDisabled()).toBe(true);
      // The keyboard is where it was, although the button under it is shut.
      expect(await page.evaluate("document.activeElement.textContent")).toBe("Ship a good change");
      // A name stands for the evidence of the first step, which is most of it; the next ones wait for theirs.
      const params = { id: await underWay(page) };
      const bakes = async () => (await platform.as("viewer").call(getDeployment, { params })).phase === "baking";
      await until(bakes, { timeoutMs: patienceMs, what: "the bake" });
      await platform.as("approver").call(approveDeployment, { params, body: { reason: "a test saw it" } });
      await bars(page, 100);
      await page
        .locator('[data-outcome="SUCCEEDED"]')
        .getByText(/100% after .* 0 requests failed/)
        .waitFor();
    });

    test("the requests end with the change that they were sent for, and the next one can be shipped", async () => {
      const load = () => pidFiles(join(dataDir, "pids")).read("load");
      await until(() => load() === undefined, { what: "the end of the load process" });

      const button = page.getByRole("button", { name: "Ship one that fails" });
      await expect.poll(() => button.getAttribute("aria-disabled"), { timeout: patienceMs }).toBe("false");
      expect(await page.getByText(/\bNONE\b/).count()).toBe(0);
    });

    test("a platform that is killed and started again is lost and found by the open page", async () => {
      await platform.kill();
      await page.getByText("Connection lost").waitFor();
      expect(await violations(page)).toEqual([]);
      await start();

      await page.getByText("Live", { exact: true }).waitFor();
      await bars(page, 100);
    });

    test("one that fails ends with the sentence of what it cost", async () => {
      await page.getByRole("button", { name: "Ship one that fails" }).click();
      const outcome = page.locator('[data-outcome="ROLLED_BACK"]');
      await outcome.waitFor({ timeout: patienceMs });

      expect(await outcome.textContent()).toMatch(caught);
      await page.getByText("FAIL", { exact: true }).waitFor();
      await bars(page, 0);
    });

    test.each([
      ["is slow", /caught at 5% after \d+ requests slower than the baseline's limit, back in/],
      ["crashes", caught],
    ])("one that %s is caught, too, and what served before serves again", async (what, sentence) => {
      await page.getByRole("button", { name: `Ship one that ${what}` }).click();
      await bars(page, 5);

      const outcome = page.locator('[data-outcome="ROLLED_BACK"]');
      await outcome.waitFor({ timeout: patienceMs });
      expect(await outcome.textContent()).toMatch(sentence);
      await bars(page, 0);
    });

    test("one under way shows what it is exposed to, what speaks for it and what it waits for, at every size, and a button takes it back", async () => {
      await page.getByRole("button", { name: "Ship a good change" }).click();
      await bars(page, 5);
      // It would go on while it is looked at.
      const id = await underWay(page);
      await platform.as("deployer").call(haltDeployment, { params: { id }, body: { reason: "a test looks at it" } });
      await page.getByText("5% exposure: traffic on a version that is not proven").waitFor();
      const evidence = page.getByRole("row", { name: /^new version/ }).getByRole("cell");
      const seen = async () => Number((await evidence.nth(0).textContent())?.replaceAll(/\D/g, ""));
      await expect.poll(seen, { timeout: patienceMs }).toBeGreaterThan(0);
      await page.getByText(/^D-\d+ waits for$/).waitFor();
      expect(
        await page.getByRole("list", { name: "Steps of the build" }).getByRole("listitem").count(),
      ).toBeGreaterThan(1);
      await cleanAtEverySize(page);

      await backButton(page).click();

      const outcome = page.locator('[data-outcome="ROLLED_BACK"]');
      await outcome.waitFor({ timeout: patienceMs });
      expect(await outcome.textContent()).toMatch(/taken back at 5% with \d+ requests? failed/);
      await bars(page, 0);
    });

    test("at the end it is clean at every size", async () => {
      await cleanAtEverySize(page);
      expect(trouble).toEqual([]);
    });
  },
);

/** For axe, light and dark; and nothing sticks out. */
async function cleanAtEverySize(page: Page): Promise<void> {
  for (const size of sizes) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const where = `${size.width} pixels, ${colorScheme}`;

      expect(await violations(page), where).toEqual([]);
      expect(await page.evaluate("document.documentElement.scrollWidth"), where).toBe(size.width);
    }
  }
}

function backButton(page: Page): Locator {
  return page.getByRole("button", { name: /^Roll back D-\d+$/ });
}

/** The deployment that could be taken back now. */
async function underWay(page: Page): Promise<DeploymentId> {
  return /D-\d+/.exec((await backButton(page).textContent()) ?? "")?.[0] as DeploymentId;
}

/** Waits until the bars of all three regions show this percent. */
async function bars(page: Page, percent: number): Promise<void> {
  const at = page.locator(`[data-region][data-percent="${percent}"]`);
  await at.nth(2).waitFor({ timeout: patienceMs });
}

type Violation = { readonly id: string; readonly nodes: readonly { readonly html: string }[] };

/** What axe finds, as rule and first place. */
async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  const found = (await page.evaluate("axe.run().then((result) => result.violations)")) as readonly Violation[];
  return found.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Entry, inboxPage, inboxPolicy } from "./inbox-page.ts";

const entry: Entry = {
  notice: {
    severity: "problem",
    about: "D-7",
    title: "<script>alert(1)</script>",
    text: `"quoted" & 'more'`,
    facts: [{ name: "a<b", value: "c>d" }],
    byHand: { why: "by hand", lines: ["kubectl -p '{}'"] },
  },
  state: "pending",
  channel: "slack",
  attempts: 1,
  lastReason: "HTTP 500",
  createdAt: "2026-01-01T00:00:00.000Z",
  settled: null,
  settledAt: null,
};

test("an entry shows everything it has, escaped, and how its delivery stands", () => {
  const page = inboxPage([entry]);

  expect(page).toContain(`<article id="D-7" class="problem">`);
  expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  expect(page).toContain("&quot;quoted&quot; &amp; &#39;more&#39;");
  expect(page).toContain("<pre>kubectl -p &#39;{}&#39;</pre>");
  expect(page).toContain("slack: pending after 1 attempt: HTTP 500");
});

test("an entry that asked for what is decided says how, and is loud no more", () => {
  const page = inboxPage([{ ...entry, settled: "approved by <ada>", settledAt: "2026-01-01T00:01:00.000Z" }]);

  expect(page).toContain(`<article id="D-7" class="settled">`);
  expect(page).toContain("<strong>Done: approved by &lt;ada&gt;</strong>");
  expect(inboxPage([entry])).not.toContain("Done:");
});

test("no text can bring an element or attribute of its own", () => {
  const tags = (page: string) => page.match(/<[^>]*>/g)?.map((tag) => tag.replace(/"[^"]*"/g, '""'));
  const decided = { ...entry, settled: "x", settledAt: "2026-01-01T00:01:00.000Z" };
  const expected = tags(inboxPage([decided]));
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("<", ">", '"', "'", "&", "a", "=", "/") }), (evil) => {
      const notice = {
        ...entry.notice,
        about: evil,
        title: evil,
        text: evil,
        facts: [{ name: evil, value: evil }],
        byHand: { why: evil, lines: [evil] },
      };
      expect(tags(inboxPage([{ ...decided, notice, lastReason: evil, settled: evil }]))).toEqual(expected);
    }),
  );
});

test("the page follows the reader's light or dark and allows no script", () => {
  expect(inboxPage([])).toContain("color-scheme: light dark");
  expect(inboxPage([])).toContain("Nothing has happened yet.");
  expect(inboxPolicy).toMatch(/^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='/);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Notice } from "./notice.ts";
import { slackMessage } from "./slack.ts";

const text = fc.string({ unit: fc.constantFrom("a", "<", ">", "&", "|", "`", "😀", "\n"), maxLength: 4_000 });
const notice: fc.Arbitrary<Notice> = fc.record(
  {
    severity: fc.constantFrom("problem", "attention", "good", "info"),
    about: text,
    title: text,
    text,
    facts: fc.array(fc.record({ name: text, value: text }), { maxLength: 30 }),
    byHand: fc.record({ why: text, lines: fc.array(text, { maxLength: 70 }) }),
  },
  { requiredKeys: ["severity", "about", "title", "text", "facts"] },
);

type Message = ReturnType<typeof slackMessage>;

function sections({ blocks }: Message) {
  return blocks.flatMap((block) =>
    block.type === "section" ? [...(block.text ? [block.text] : []), ...(block.fields ?? [])] : [],
  );
}

/** Blocks that break a limit of their kind. */
function overlong({ blocks }: Message) {
  return blocks.filter((block) => {
    if (block.type === "context") return false;
    if (block.type === "header") return block.text.text.length > 150;
    const fields = block.fields ?? [];
    return (
      (block.text?.text.length ?? 0) > 3_000 || fields.length > 10 || fields.some(({ text }) => text.length > 2_000)
    );
  });
}

const plain: Notice = {
  severity: "problem",
  about: "D-7",
  title: "Bad deployment caught",
  text: "Five <b> & more.",
  facts: [{ name: "Version", value: "orders-3f2a91c-x7k2p" }],
  byHand: { why: "By hand", lines: ["kubectl patch > /dev/null", "x".repeat(4_000)] },
};

describe("a Slack message", () => {
  test("says it in a header, a sentence, fields and commands, escaped, with a way back to Slipway", () => {
    const { text, blocks } = slackMessage(plain, "https://slipway.example/inbox#D-7");

    expect(text).toBe("Bad deployment caught: Five &lt;b&gt; &amp; more.");
    expect(blocks).toEqual([
      { type: "header", text: { type: "plain_text", text: ":red_circle: Bad deployment caught" } },
      { type: "section", text: { type: "mrkdwn", text: "Five &lt;b&gt; &amp; more." } },
      { type: "section", fields: [{ type: "mrkdwn", text: "*Version*\norders-3f2a91c-x7k2p" }] },
      { type: "section", text: { type: "mrkdwn", text: "*By hand*" } },
      { type: "section", text: { type: "mrkdwn", text: "```kubectl patch &gt; /dev/null```" } },
      { type: "section", text: { type: "mrkdwn", text: expect.stringContaining("too long for Slack") } },
      { type: "context", elements: [{ type: "mrkdwn", text: "<https://slipway.example/inbox#D-7|D-7 in Slipway>" }] },
    ]);
  });

  test("about what was decided before it could be sent says so first, and alarms nobody", () => {
    const { text, blocks } = slackMessage(plain, undefined, "approved by <ada>");

    expect(text).toBe("Bad deployment caught: done, approved by &lt;ada&gt;");
    expect(blocks.slice(0, 2)).toEqual([
      { type: "header", text: { type: "plain_text", text: ":white_circle: Bad deployment caught" } },
      { type: "section", text: { type: "mrkdwn", text: "*Done: approved by &lt;ada&gt;*" } },
    ]);
  });

  test("keeps Slack's limits whatever it has to say, and cuts no entity and no character in half", () => {
    fc.assert(
      fc.property(notice, fc.option(fc.webUrl(), { nil: undefined }), fc.option(text), (one, link, settled) => {
        const message = slackMessage(one, link, settled);
        expect(message.blocks.length).toBeLessThanOrEqual(50);
        expect(message.text.length).toBeLessThanOrEqual(3_000);
        expect(overlong(message)).toEqual([]);
        expect(JSON.stringify(message)).not.toMatch(/\\ud[89ab][0-9a-f]{2}/);
        const raw = sections(message).filter(({ text }) => /[<>]|&(?!(amp|lt|gt);)/.test(text));
        expect(raw).toEqual([]);
        expect(message.blocks.at(-1)?.type).toBe(link === undefined ? "section" : "context");
      }),
    );
  });
});

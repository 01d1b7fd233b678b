import type { Notice, Severity } from "./notice.ts";

/** Limits of Slack's Block Kit: blocks per message, characters per text, header and field, fields per section. */
const limits = { blocks: 50, text: 3_000, header: 150, field: 2_000, fields: 10 } as const;

type Text = { readonly type: "mrkdwn" | "plain_text"; readonly text: string };
type Block =
  | { readonly type: "header"; readonly text: Text }
  | { readonly type: "section"; readonly text?: Text; readonly fields?: readonly Text[] }
  | { readonly type: "context"; readonly elements: readonly Text[] };

/** Body of a POST to an incoming webhook. `text` is what phones and screen readers show. */
export type SlackMessage = { readonly text: string; readonly blocks: readonly Block[] };

const signs: Record<Severity, string> = {
  problem: ":red_circle:",
  attention: ":large_yellow_circle:",
  good: ":large_green_circle:",
  info: ":white_circle:",
};

/** `settled`: how what it asks for was decided before it could be sent. */
export function slackMessage(notice: Notice, link: string | undefined, settled: string | null = null): SlackMessage {
  const { title, text, facts, byHand, severity } = notice;
  const sign = settled === null ? signs[severity] : signs.info;
  const blocks: Block[] = [
    { type: "header", text: { type: "plain_text", text: cut(`${sign} ${title}`, limits.header) } },
    ...(settled === null ? [] : [section(`*${escaped(`Done: ${settled}`, limits.text - 2)}*`)]),
    section(escaped(text, limits.text)),
  ];
  for (let n = 0; n < facts.length; n += limits.fields) {
    const fields = facts.slice(n, n + limits.fields).map(({ name, value }) => {
      const heading = `*${escaped(name, 100)}*\n`;
      return mrkdwn(heading + escaped(value, limits.field - heading.length));
    });
    blocks.push({ type: "section", fields });
  }
  if (byHand !== undefined) {
    blocks.push(section(`*${escaped(byHand.why, limits.text - 2)}*`));
    for (const line of byHand.lines) blocks.push(section(code(line)));
  }
  if (link !== undefined) {
    const address = escaped(link, 1_000).replaceAll("|", "%7C");
    blocks.splice(limits.blocks - 1);
    blocks.push({ type: "context", elements: [mrkdwn(`<${address}|${escaped(notice.about, 100)} in Slipway>`)] });
  }
  const whole = settled === null ? `${title}: ${text}` : `${title}: done, ${settled}`;
  return { text: escaped(whole, limits.text), blocks: blocks.slice(0, limits.blocks) };
}

function section(text: string): Block {
  return { type: "section", text: mrkdwn(text) };
}

function mrkdwn(text: string): Text {
  return { type: "mrkdwn", text };
}

/** A command is shown whole or, when it is too long for a block, not at all: half a command is dangerous. */
function code(line: string): string {
  const whole = `\`\`\`${escaped(line, Number.POSITIVE_INFINITY)}\`\`\``;
  return whole.length <= limits.text ? whole : "_The command is too long for Slack; Slipway's inbox shows it._";
}

/** Escapes what Slack reads as markup, then cuts to at most so many characters, never inside an entity. */
function escaped(text: string, most: number): string {
  const whole = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  if (whole.length <= most) return whole;
  return `${whole.slice(0, most - 1).replace(/&[a-z]{0,3}$|[\uD800-\uDBFF]$/, "")}…`;
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

import { describe, expect, it } from "vitest";
import { prometheusParser } from "./prometheus-text.ts";
import { MetricsUnreadable } from "./types.ts";

const parse = (text: string) => prometheusParser(new Set(["a_total", "b"]))(text);

const pages = [
  'a_total{x="1",y="}"} 5\nb 1\nother{z="1"} 7\n',
  'a_total{x="1",y="}"} 6\nb 2 1700000000\na_total{x="2",y="}"} 1\nother{z="1"} 8\n',
  "b 3\n",
  'a_total{x="1",y="}"} 9\nb 4\n',
];

describe("page after page of one source", () => {
  it("is read as each page alone would be, whatever came and went", () => {
    const read = prometheusParser(new Set(["a_total", "b"]));

    for (const page of [...pages, ...pages.toReversed()]) expect(read(page)).toEqual(parse(page));
  });

  it("a line that cannot be read spoils its page and none after it", () => {
    const read = prometheusParser(new Set(["a_total", "b"]));
    read(pages[0] ?? "");

    expect(() => read('a_total{x="1",y="}"} five\n')).toThrow(MetricsUnreadable);
    expect(() => read('a_total{x="1",y="}"}5 6 7 8\n')).toThrow(MetricsUnreadable);
    expect(read(pages[1] ?? "")).toEqual(parse(pages[1] ?? ""));
  });
});

describe("Prometheus text", () => {
  it("gives names, labels and values of the metrics that were asked for", () => {
    const samples = parse(
      '# HELP a_total x\n# TYPE a_total counter\na_total{x="1",y="2"} 5\nb 1e3 1700000000\nother 7\n',
    );

    expect(samples).toEqual([
      { name: "a_total", labels: { x: "1", y: "2" }, value: 5 },
      { name: "b", labels: {}, value: 1_000 },
    ]);
  });

  it("reads escaped quotes, backslashes, new lines and braces inside of labels", () => {
    const [sample] = parse('a_total{path="a\\"b\\\\c\\nd}",} +Inf\n');

    expect(sample).toEqual({ name: "a_total", labels: { path: 'a"b\\c\nd}' }, value: Number.POSITIVE_INFINITY });
  });

  it("refuses a page that was cut inside a number", () => {
    expect(() => parse("a_total 12345\nb 99")).toThrow(MetricsUnreadable);
  });

  it.each([
    'a_total{x="1" 5\n',
    "a_total{x=1} 5\n",
    "a_total five\n",
    "a_total\n",
    "{} 1\n",
    'a_total{x="1"y="2"} 1\n',
  ])("refuses the line %j", (text) => {
    expect(() => parse(text)).toThrow(MetricsUnreadable);
  });
});

import { type Document, visit, type YAMLParseError } from "yaml";

/** What the parser's errors mean, for people who write YAML and do not know its grammar. */
const texts: Partial<Record<YAMLParseError["code"], string>> = {
  TAB_AS_INDENT: "this line begins with a tab; YAML is indented with spaces",
  DUPLICATE_KEY: "this key is here twice; which of the two counts?",
  MULTIPLE_DOCS: "a second document begins here (---); the file may hold one",
  BLOCK_AS_IMPLICIT_KEY:
    "two colons in one line, or a line below that is indented too far; a text with a colon needs quotes",
};

export function yamlText({ code, message }: YAMLParseError): string {
  return texts[code] ?? `this is no YAML: ${message}`;
}

/** The parser often finds one mistake several times at the same place. */
export function onePerPlace<E extends { readonly line: number; readonly column: number }>(errors: readonly E[]): E[] {
  return errors.filter(
    ({ line, column }, index) => errors.findIndex((other) => other.line === line && other.column === column) === index,
  );
}

/** Aliases of anchors that are not there, each at its place. */
export function unresolvedAliases(document: Document.Parsed): { offset: number; message: string }[] {
  const found: { offset: number; message: string }[] = [];
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return;
      const message = `*${alias.source} stands for something called &${alias.source} further up, and there is none`;
      found.push({ offset: alias.range?.[0] ?? 0, message });
    },
  });
  return found;
}

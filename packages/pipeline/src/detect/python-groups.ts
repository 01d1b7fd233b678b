/** A list of packages in pyproject.toml that installing the project alone leaves out. */
export type PythonGroup = {
  /** How its tool calls it: `group` is of PEP 735 or poetry, `extra` an optional dependency. */
  readonly kind: "group" | "extra";
  readonly name: string;
  readonly where: string;
  readonly packages: readonly string[];
};

/** The group that brings pytest; undefined where none does. Reads what people write of TOML, not all of it. */
export function testGroup(project: string): PythonGroup | undefined {
  return groupsOf(project).find(({ packages }) => packages.some((one) => /^pytest\b/i.test(one)));
}

/** The text without what only some group names. */
export function withoutGroups(project: string): string {
  return tablesOf(project)
    .filter(([name]) => name === "project" || name === "tool.poetry.dependencies")
    .map(([, body]) => body)
    .join("\n");
}

function groupsOf(project: string): readonly PythonGroup[] {
  return tablesOf(project).flatMap(([table, body]): PythonGroup[] => {
    const ofPoetry = /^tool\.poetry\.(?:group\.([\w-]+)\.dependencies|(dev)-dependencies)$/.exec(table);
    if (ofPoetry !== null) {
      const packages = [...body.matchAll(/^["']?([\w.-]+)["']?\s*=/gm)].map(([, name = ""]) => name);
      return [{ kind: "group", name: ofPoetry[1] ?? ofPoetry[2] ?? "", where: table, packages }];
    }
    if (table === "dependency-groups") return listsOf(body).map((list) => ({ ...list, kind: "group", where: table }));
    if (table === "project.optional-dependencies")
      return listsOf(body).map((list) => ({ ...list, kind: "extra", where: table }));
    return [];
  });
}

/** Each table's name and what stands in it. */
function tablesOf(text: string): readonly (readonly [string, string])[] {
  const [, ...parts] = text.split(/^\[([^[\]]+)\]\s*(?:#.*)?$/m);
  return parts.flatMap((name, at) => (at % 2 === 0 ? [[name.trim(), parts[at + 1] ?? ""] as const] : []));
}

/** `name = ["a>=1", "b"]`, over as many lines as it likes; other groups that a list includes are not looked up. */
function listsOf(body: string): readonly { readonly name: string; readonly packages: readonly string[] }[] {
  const lists = body.matchAll(/^["']?([\w.-]+)["']?\s*=\s*\[([\s\S]*?)\]\s*(?:#.*)?$/gm);
  return [...lists].map(([, name = "", inside = ""]) => ({ name, packages: stringsOf(inside) }));
}

function stringsOf(inside: string): readonly string[] {
  const text = inside.replace(/(^|\s)#.*$/gm, "").replace(/\{[^}]*\}/g, "");
  return [...text.matchAll(/"([^"\n]+)"|'([^'\n]+)'/g)].map(([, double, single]) => double ?? single ?? "");
}

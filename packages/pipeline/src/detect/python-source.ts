import { hasFile, type RepositoryView } from "./repository-view.ts";

const folder = "src";

/**
 * The folder that has to be on PYTHONPATH, where a project's own packages lie in one and nothing installs them: they import each other by the names
 * that they have inside. Undefined where the code takes `src` itself for a package.
 */
export function sourceFolder(view: RepositoryView): string | undefined {
  const inside = view.paths.filter((path) => path.startsWith(`${folder}/`) && path.endsWith(".py"));
  if (inside.length === 0 || hasFile(view, `${folder}/__init__.py`)) return undefined;
  const texts = Object.entries({ ...view.texts, ...view.further }).filter(([path]) => path.endsWith(".py"));
  if (texts.some(([path, text]) => namesFolder(text) || leavesFolder(path, text))) return undefined;
  if (inside.some((path) => path.split("/").length > 2)) return folder;
  const modules = inside.map((path) => path.slice(folder.length + 1, -".py".length)).join("|");
  const imported = new RegExp(`^\\s*(?:from|import)\\s+(?:${modules})\\b`, "m");
  return texts.some(([path, text]) => inside.includes(path) && imported.test(text)) ? folder : undefined;
}

function namesFolder(text: string): boolean {
  return new RegExp(`^\\s*(?:from|import)\\s+${folder}\\b`, "m").test(text);
}

/** A relative import in `src` that goes up to `src` itself. */
function leavesFolder(path: string, text: string): boolean {
  const depth = path.split("/").length - 2;
  return path.startsWith(`${folder}/`) && new RegExp(`^\\s*from\\s+\\.{${depth + 1}}`, "m").test(text);
}

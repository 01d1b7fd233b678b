/**
 * Where a name from somebody else's archive may lead. Pure; the extractor never joins a name to a path before it came
 * through here, and never follows a link while it walks the parts.
 */
export type TarPath = { readonly kind: "inside"; readonly parts: readonly string[] } | Unsafe;
export type Unsafe = { readonly kind: "unsafe"; readonly why: string };

const maxPathBytes = 4_096;
const maxPartBytes = 255;
const maxDepth = 128;

/** Splits an entry's name. No parts means the root itself. */
export function tarPath(name: string): TarPath {
  if (name.includes("\0")) return unsafe("a name with a NUL byte");
  if (Buffer.byteLength(name) > maxPathBytes) return unsafe("a name longer than a path can be");
  if (name.startsWith("/")) return unsafe("an absolute name");
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) return unsafe("a name with ..");
  if (parts.length > maxDepth) return unsafe("a name that is too deep");
  if (parts.some((part) => Buffer.byteLength(part) > maxPartBytes)) return unsafe("a name part that is too long");
  return { kind: "inside", parts };
}

/** A symbolic link may point anywhere inside the image; an absolute target means the image's own root. Climbing out is unsafe. */
export function linkTarget(at: readonly string[], target: string): { readonly kind: "fine" } | Unsafe {
  if (target === "") return unsafe("a link to nothing");
  if (target.includes("\0")) return unsafe("a link target with a NUL byte");
  if (Buffer.byteLength(target) > maxPathBytes) return unsafe("a link target longer than a path can be");
  let depth = target.startsWith("/") ? 0 : at.length - 1;
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    depth += part === ".." ? -1 : 1;
    if (depth < 0) return unsafe("a link that climbs out of the image");
  }
  return { kind: "fine" };
}

export type Whiteout =
  | { readonly kind: "none" }
  | { readonly kind: "remove"; readonly name: string }
  | { readonly kind: "opaque" }
  | Unsafe;

/** What an entry's last part says about lower layers: `.wh.<name>` removes a name, `.wh..wh..opq` hides a folder's content. */
export function whiteout(lastPart: string): Whiteout {
  if (!lastPart.startsWith(".wh.")) return { kind: "none" };
  if (lastPart === ".wh..wh..opq") return { kind: "opaque" };
  const name = lastPart.slice(".wh.".length);
  if (name === "" || name === "." || name === ".." || name.startsWith(".wh.")) return unsafe("a whiteout of no name");
  return { kind: "remove", name };
}

function unsafe(why: string): Unsafe {
  return { kind: "unsafe", why };
}

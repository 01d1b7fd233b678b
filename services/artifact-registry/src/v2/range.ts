/** Bytes `from` to `to`, both included, as HTTP counts them. */
export type ByteRange = { readonly from: number; readonly to: number };

/**
 * A Range header for a body of `size` bytes. `all` where there is none or one that may be ignored (several ranges, another
 * unit); `unsatisfiable` where it begins past the end.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | "all" | "unsatisfiable" {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null) return "all";
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return "all";
  if (first === "") {
    const count = Math.min(Number(last), size);
    return count === 0 ? "unsatisfiable" : { from: size - count, to: size - 1 };
  }
  const from = Number(first);
  const to = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < from) return "all";
  return from >= size ? "unsatisfiable" : { from, to };
}

/** The Content-Range of a chunk: `<from>-<to>`, as the distribution specification writes it, or `bytes <from>-<to>/*`. */
export function parseContentRange(header: string | undefined): ByteRange | "none" | "malformed" {
  if (header === undefined) return "none";
  const match = /^(?:bytes[ =])?(\d+)-(\d+)(?:\/(?:\d+|\*))?$/.exec(header.trim());
  const from = Number(match?.[1]);
  const to = Number(match?.[2]);
  return match !== null && Number.isSafeInteger(to) && from <= to ? { from, to } : "malformed";
}

/** What an upload has received so far, as the answer to a chunk says it. */
export function receivedRange(received: number): string {
  return `0-${Math.max(0, received - 1)}`;
}

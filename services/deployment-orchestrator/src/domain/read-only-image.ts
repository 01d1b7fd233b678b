/** What Node, Python, Go and a shell say where a program writes into its image: read-only in a local region, root's on Kubernetes. */
const refusedWrites = [
  /\bEROFS\b|read-only file system/i,
  /\bE(ACCES|NOENT): [a-z ]+, mkdir\b/,
  /\bEACCES: permission denied, (open|rename|unlink|copyfile|rmdir|symlink)\b/,
  /\bPermissionError: \[Errno 13\]/,
  /\b(mkdir|open) [^ :]+: permission denied\b/,
];

/** What to do about it, where the last lines of a program that does not get ready say that a write was refused; else nothing. */
export function readOnlyHint(lines: readonly string[]): string {
  const refused = lines.some((line) => refusedWrites.some((pattern) => pattern.test(line)));
  return refused ? "; a write was refused: a pod can write below /tmp alone, its image is read-only" : "";
}

/** What Node, Python, Go and a shell say of what a pod does not let them do, and what is to be done about it. */
const causes: readonly { readonly says: readonly RegExp[]; readonly hint: string }[] = [
  {
    // The image is read-only in a local region, root's on Kubernetes.
    says: [
      /\bEROFS\b|read-only file system/i,
      /\bE(ACCES|NOENT): [a-z ]+, mkdir\b/,
      /\bEACCES: permission denied, (open|rename|unlink|copyfile|rmdir|symlink)\b/,
      /\bPermissionError: \[Errno 13\]/,
      /\b(mkdir|open) [^ :]+: permission denied\b/,
    ],
    hint: "a write was refused: a pod can write below /tmp alone, its image is read-only",
  },
  {
    says: [/\bEADDRINUSE\b|address already in use/i],
    hint: "its port is taken: each pod is told a port of its own in $PORT, on which it has to listen",
  },
  {
    says: [/\blisten EACCES\b|\bbind: permission denied\b/],
    hint: "it may not have its port: each pod is told one in $PORT, on which it has to listen",
  },
];

/** What to do, where the last lines of a program that does not get ready tell of something that is known; else nothing. Pure. */
export function knownCause(lines: readonly string[]): string {
  const cause = causes.find(({ says }) => lines.some((line) => says.some((pattern) => pattern.test(line))));
  return cause === undefined ? "" : `; ${cause.hint}`;
}

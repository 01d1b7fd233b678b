/** What a person can do about a folder that the system refuses; undefined for an error that is none of the system's. */
export function folderTrouble(error: unknown, folder: string): string | undefined {
  const { code, path = folder } = error as { code?: unknown; path?: string };
  if (typeof code !== "string") return undefined;
  const what = sentences[code];
  return what === undefined ? undefined : `${what.replaceAll("PATH", path)} Or name another data folder with --data.`;
}

const sentences: Readonly<Record<string, string>> = {
  EACCES: "PATH may not be written by this user. Give it to this user (chown), or start as the user that owns it.",
  EPERM: "PATH may not be changed by this user. Give it to this user (chown), or start as the user that owns it.",
  EROFS: "PATH lies on a file system that is mounted read-only.",
  ENOSPC: "The disk of PATH is full. Make room and start again: what is there stays as it is.",
  EDQUOT: "This user's quota on the disk of PATH is used up. Make room and start again: what is there stays as it is.",
  ENOTDIR: "PATH cannot be a folder: there is a file, there or above it. Move the file away.",
  EEXIST: "PATH is a file, and a folder is needed there. Move the file away.",
  EISDIR: "PATH is a folder, and a file is needed there. Move the folder away.",
  ELOOP: "PATH is a link that leads to itself. Remove it.",
  ENAMETOOLONG: "The path PATH is too long.",
  ENOENT: "PATH cannot be made: the folder above it is missing, or a link that leads nowhere.",
};

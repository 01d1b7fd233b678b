/** Where a repository is, as git is told, apart from the credentials that git is told otherwise. */
export type RepositoryUrl = {
  /** Without user and password. */
  readonly url: string;
  readonly scheme: "http" | "https" | "ssh" | "file";
  /** What a webhook's sender is recognised by: host and path, without scheme, user and `.git`. */
  readonly matchKey: string;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
};

export type UrlProblem = { readonly problem: string };

const scpLike = /^(?:([A-Za-z0-9._-]+)@)?([A-Za-z0-9.-]+):(?!:|\/\/)([^\s]+)$/;

/**
 * Reads a repository's URL: http, https, ssh (`ssh://…` or `git@host:path`) where there is one, and file where that is allowed. Everything
 * else that git understands (`ext::`, options, plain paths) can run programs or read this machine, and is refused.
 */
export function parseRepositoryUrl(text: string, allowFile: boolean, ssh = true): RepositoryUrl | UrlProblem {
  if (text.startsWith("-") || hasControlCharacter(text)) return { problem: "not a URL" };
  const scp = scpLike.exec(text);
  const read = readUrl(scp === null ? text : `ssh://${scp[1] ?? "git"}@${scp[2]}/${scp[3]}`, allowFile);
  if ("problem" in read || read.scheme !== "ssh" || ssh) return read;
  return {
    problem: "there is no ssh where the build-service runs: the https URL, with a user and a token, is fetched",
  };
}

function readUrl(text: string, allowFile: boolean): RepositoryUrl | UrlProblem {
  const url = URL.parse(text);
  if (url === null) return { problem: "not a URL: give https://host/path, ssh://host/path or git@host:path" };
  const scheme = url.protocol.slice(0, -1);
  if (scheme !== "http" && scheme !== "https" && scheme !== "ssh" && scheme !== "file") {
    return { problem: `the scheme "${scheme}" is not allowed: use https, http or ssh` };
  }
  if (scheme === "file" && !allowFile) return { problem: "repositories of this machine's file system are not allowed" };
  if (url.search !== "" || url.hash !== "") return { problem: "the URL has a query or a fragment" };
  if (url.hostname.startsWith("-")) return { problem: "not a host name" };
  const matchKey = matchKeyOf(url);
  if (matchKey === undefined) return { problem: "the URL has no path" };
  const username = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  // For ssh the user is part of the address; a password in it is of no use to ssh.
  if (scheme !== "ssh") url.username = "";
  url.password = "";
  const hasCredentials = scheme !== "ssh" && (username !== "" || password !== "");
  return { url: url.href, scheme, matchKey, credentials: hasCredentials ? { username, password } : undefined };
}

/** The match key of any spelling a webhook may carry, or undefined for text that names no repository. */
export function matchKeyOfText(text: string): string | undefined {
  const parsed = parseRepositoryUrl(text.replace(/^git:\/\//, "https://"), true);
  return "problem" in parsed ? undefined : parsed.matchKey;
}

function matchKeyOf(url: URL): string | undefined {
  const path = decodeURIComponent(url.pathname)
    .replace(/\/+$/, "")
    .replace(/\.git$/, "")
    .replace(/^\/+/, "");
  return path === "" ? undefined : `${url.host.toLowerCase()}/${path}`;
}

function hasControlCharacter(text: string): boolean {
  return [...text].some((char) => char <= " " || char === "\u007f");
}

import { anyRole, type RawMethod, type RawOperation } from "@slipway/contracts";

function operation(id: string, method: RawMethod, path: string, summary: string, type: string): RawOperation {
  return {
    id,
    method,
    path: `/git/:repository/${path}`,
    summary,
    auth: "token",
    roles: anyRole,
    ...(method === "POST" ? { body: { [type.replace("result", "request")]: null } } : {}),
    answers: { 200: { description: "What git says", type } },
    errors: "text",
  };
}

/** Git's smart HTTP: https://git-scm.com/docs/http-protocol. `repository` is `<service>.git`. */
export const gitOperations: readonly RawOperation[] = [
  operation(
    "getGitRefs",
    "GET",
    "info/refs",
    "What is there to fetch or to push to",
    "application/x-git-upload-pack-advertisement",
  ),
  operation("getGitHead", "GET", "HEAD", "The default branch", "text/plain"),
  operation("getGitObject", "GET", "objects/:object", "A file of the object store", "application/octet-stream"),
  operation("fetchGit", "POST", "git-upload-pack", "Fetch", "application/x-git-upload-pack-result"),
  {
    ...operation("pushGit", "POST", "git-receive-pack", "Push", "application/x-git-receive-pack-result"),
    roles: ["deployer"],
  },
];

import { spawn } from "node:child_process";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

/** git's own smart HTTP server over the repositories of a folder, behind Basic authentication: ada, p@ss word. */
export function gitServer(folder: string): RequestListener {
  return (request, response) => serveGit(folder, request, response);
}

function serveGit(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const expected = `Basic ${Buffer.from("ada:p@ss word").toString("base64")}`;
  if (request.headers.authorization !== expected) {
    response.writeHead(401, { "www-authenticate": "Basic" }).end();
    return;
  }
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://x");
  const cgi = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: pathname,
      QUERY_STRING: searchParams.toString(),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers["content-type"],
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"],
      GIT_PROTOCOL: request.headers["git-protocol"] as string | undefined,
    },
  });
  request.pipe(cgi.stdin);
  const parts: Buffer[] = [];
  cgi.stdout.on("data", (chunk: Buffer) => parts.push(chunk));
  cgi.once("close", () => {
    const whole = Buffer.concat(parts);
    const split = whole.indexOf("\r\n\r\n");
    for (const line of whole.subarray(0, split).toString().split("\r\n")) {
      const [name = "", value = ""] = line.split(": ");
      if (name === "Status") response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.end(whole.subarray(split + 4));
  });
}

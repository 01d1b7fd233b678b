// Serves the files of one folder: node slipway-static-server.mjs FOLDER. Copied into the images of static sites (`uses: static-server`), so it stands
// on Node alone. Only what lies in the folder and does not begin with a dot is answered, never a link's target outside of it.
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream";

const types = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".xml": "application/xml; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".ico": "image/x-icon",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
  ".pdf": "application/pdf",
};

const root = await realpath(resolve(process.argv[2] ?? "."));
const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
server.listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? "0.0.0.0");
process.once("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});

async function answer(request, response) {
  if (request.method !== "GET" && request.method !== "HEAD") return end(response, 405, { allow: "GET, HEAD" });
  const path = pathOf(request.url ?? "/");
  const found = path === undefined ? undefined : await fileAt(path);
  if (found === undefined) return notFound(request, response);
  // A folder's relative links work from behind its slash only.
  if (found.folder) return end(response, 308, { location: `${encodeURI(path).replace(/^\/+/, "/")}/` });
  const etag = `"${found.size.toString(16)}-${Math.round(found.mtimeMs).toString(16)}"`;
  if (request.headers["if-none-match"] === etag) return end(response, 304, { etag });
  send(request, response, 200, { ...found, etag });
}

/** The decoded path, or undefined for one that is not answered: broken escapes, NUL, dot files. */
function pathOf(url) {
  try {
    const path = decodeURIComponent(url.split(/[?#]/)[0]);
    return /\0|(^|\/)\.(?!well-known(\/|$))/.test(path) || !path.startsWith("/") ? undefined : path;
  } catch {
    return undefined;
  }
}

async function fileAt(path) {
  for (const candidate of path.endsWith("/") ? [`${path}index.html`] : [path, `${path}.html`]) {
    const file = await realpath(join(root, candidate)).catch(() => undefined);
    if (file === undefined || (file !== root && !file.startsWith(root + sep))) continue;
    const { size, mtimeMs, isFile } = await stat(file).then((s) => ({ ...s, isFile: s.isFile() }));
    if (isFile) return { file, size, mtimeMs, folder: false };
    const index = await stat(join(file, "index.html")).catch(() => undefined);
    if (index?.isFile()) return { folder: true };
  }
  return undefined;
}

async function notFound(request, response) {
  const own = await fileAt("/404.html");
  if (own === undefined || own.folder) return end(response, 404, {}, "There is nothing here.\n");
  send(request, response, 404, own);
}

function send(request, response, status, { file, size, etag }) {
  response.writeHead(status, {
    "content-type": types[extname(file).toLowerCase()] ?? "application/octet-stream",
    "content-length": size,
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    ...(etag === undefined ? {} : { etag }),
  });
  if (request.method === "HEAD") return response.end();
  pipeline(createReadStream(file), response, () => {});
}

function end(response, status, headers, text = "") {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers }).end(text);
}

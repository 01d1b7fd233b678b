import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

export type StaticFile = { readonly body: Buffer; readonly type: string; readonly cacheControl: string };

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The page needs nothing but its own files and this platform. */
export const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
} as const;

const notBuilt =
  '<!doctype html><html lang="en"><meta charset="utf-8"><title>Slipway</title><p>This platform is running; its page is not built: <code>npm start</code> builds it. The API is described at <a href="/docs">/docs</a>.</html>';

/** The built page, read once. Without one there is a page that says so. */
export function readPage(folder: string): ReadonlyMap<string, StaticFile> {
  const html = { type: types[".html"] ?? "", cacheControl: "no-cache" };
  if (!existsSync(join(folder, "index.html"))) return new Map([["/", { ...html, body: Buffer.from(notBuilt) }]]);
  const assets = readdirSync(join(folder, "assets")).map((name): [string, StaticFile] => [
    `/page/assets/${name}`,
    {
      body: readFileSync(join(folder, "assets", name)),
      type: types[extname(name)] ?? "application/octet-stream",
      cacheControl: "public, max-age=31536000, immutable",
    },
  ]);
  return new Map([["/", { ...html, body: readFileSync(join(folder, "index.html")) }], ...assets]);
}

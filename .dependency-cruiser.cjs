// Who may import whom (ARCHITECTURE.md, "Import rules"). scripts/check/import-rules.mjs runs this and proves that each rule bites:
// dependency-cruiser says "no violations" when it cannot resolve what it reads, so a quiet run alone proves nothing.
const anyTest = "(^|/)(test|bench)/|\\.test\\.ts$|^packages/testkit/";
const packageAlone = (name, allowed) => ({
  name: `${name}-stands-low`,
  comment: `packages/${name} may import ${allowed.length === 0 ? "no other package" : allowed.join(", ")}.`,
  severity: "error",
  from: { path: `^packages/${name}/src/`, pathNot: anyTest },
  to: { pathNot: [`^packages/${name}/`, ...allowed.map((other) => `(^|/)${other}/`)] },
});
const libraryOnlyIn = (library, owners) => ({
  name: `${library.replace(/^@/, "").replace("/", "-")}-has-its-place`,
  comment: `${library} is a detail of ${owners.join(", ")}.`,
  severity: "error",
  from: { pathNot: [anyTest, ...owners.map((owner) => `^${owner}/`)] },
  // What is only a type is gone at run time.
  to: { path: `(^|/)node_modules/(@types/)?${library}/`, dependencyTypesNot: ["type-only"] },
});

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "resolvable",
      comment: "An import that cannot be resolved escapes every other rule.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    { name: "no-cycles", severity: "error", from: { path: "^(packages|services)/" }, to: { circular: true } },
    {
      name: "no-cycles-at-run-time",
      comment: "Elsewhere two files may name each other's types.",
      severity: "error",
      from: { pathNot: "^(packages|services)/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    packageAlone("kernel", []),
    packageAlone("contracts", ["packages/kernel", "node_modules/zod"]),
    packageAlone("judge", ["packages/kernel"]),
    {
      name: "domain-is-pure",
      comment:
        "Decisions know no clock, no chance and no input or output: kernel, contracts, judge, hashes and themselves.",
      severity: "error",
      from: { path: "^services/([^/]+)/src/domain/", pathNot: anyTest },
      to: { pathNot: ["^services/$1/src/domain/", "^packages/(kernel|contracts|judge)/", "^(node:)?crypto$"] },
    },
    {
      name: "services-stand-apart",
      comment: "Services talk over HTTP and events, also where they share a process.",
      severity: "error",
      from: { path: "^services/([^/]+)/" },
      to: { path: "^services/", pathNot: "^services/$1/" },
    },
    {
      name: "only-standalone-holds-services",
      severity: "error",
      from: { path: "^(apps|bench|scripts)/", pathNot: "^apps/standalone/" },
      to: { path: "^services/" },
    },
    {
      name: "nothing-looks-up",
      comment: "Packages know neither services nor applications; services know no application.",
      severity: "error",
      from: { path: "^(packages|services)/" },
      to: { path: "^apps/" },
    },
    {
      name: "packages-know-no-service",
      severity: "error",
      from: { path: "^packages/" },
      to: { path: "^services/" },
    },
    {
      name: "one-door-per-package",
      comment: "Another package is imported by its name, which is its src/index.ts.",
      severity: "error",
      from: { path: "^(packages|services|apps)/([^/]+)/" },
      to: { path: "^(packages|services|apps)/[^/]+/", pathNot: ["^$1/$2/", "/src/index\\.ts$"] },
    },
    {
      name: "testkit-is-for-tests",
      severity: "error",
      from: { pathNot: anyTest },
      to: { path: "^packages/testkit/" },
    },
    {
      name: "regions-are-reached-by-their-api",
      comment: "The local region is chosen in apps alone: everybody else sees a Kubernetes API.",
      severity: "error",
      from: { path: "^(packages|services)/", pathNot: ["^packages/local-region/", anyTest] },
      to: { path: "^packages/local-region/" },
    },
    libraryOnlyIn("@kubernetes/client-node", ["packages/cluster"]),
    libraryOnlyIn("fastify", ["packages/host"]),
    libraryOnlyIn("@aws-sdk/client-s3", ["packages/objects"]),
    libraryOnlyIn("ioredis", ["packages/cache"]),
    libraryOnlyIn("kafkajs", ["packages/bus"]),
    libraryOnlyIn("pg", ["packages/sql"]),
    libraryOnlyIn("prom-client", ["packages/host", "packages/local-region"]),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|\\.slipway)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    // Without these three no `@slipway/*` import resolves, and nothing is ever a violation.
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["@slipway/source", "import", "default"],
      extensions: [".ts", ".tsx", ".js"],
    },
  },
};

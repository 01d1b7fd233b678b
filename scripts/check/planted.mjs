// The tree that scripts/check/import-rules.mjs makes in a temporary folder: for each rule one import that breaks it.
const from = (...modules) =>
  modules.map((module, i) => `import { here as h${i} } from "${module}";\nh${i};\n`).join("");

export const plantedPackages = [
  ...["kernel", "contracts", "judge", "sql", "cluster", "local-region", "testkit"].map((name) => `packages/${name}`),
  ...["alpha", "beta"].map((name) => `services/${name}`),
  ...["standalone", "cli"].map((name) => `apps/${name}`),
];

/** What is allowed, so that the rules are not merely against everything. */
export const soundFiles = [
  {
    path: "services/alpha/src/domain/sound.ts",
    text: from("@slipway/kernel", "@slipway/contracts", "@slipway/judge", "./neighbour.ts", "node:crypto"),
  },
  { path: "services/alpha/src/domain/neighbour.ts", text: "export const here = 1;\n" },
  { path: "services/alpha/src/sound.ts", text: from("@slipway/sql", "./domain/neighbour.ts", "node:fs") },
  { path: "services/alpha/src/sound.test.ts", text: from("@slipway/testkit", "@slipway/local-region", "pg") },
  { path: "packages/contracts/src/sound.ts", text: from("@slipway/kernel", "zod") },
  { path: "packages/sql/src/sound.ts", text: from("pg") },
  { path: "apps/standalone/src/sound.ts", text: from("@slipway/alpha", "@slipway/beta", "@slipway/local-region") },
];

const planted = (rule, path, ...modules) => ({ rule, path, text: from(...modules) });

export const plantedFiles = [
  planted("resolvable", "services/alpha/src/lost.ts", "@slipway/nowhere"),
  {
    rule: "no-cycles",
    path: "packages/sql/src/head.ts",
    text: 'import type { Tail } from "./tail.ts";\nexport type Head = { tail: Tail };\n',
  },
  planted("no-cycles-at-run-time", "apps/cli/src/head.ts", "./tail.ts"),
  planted("kernel-stands-low", "packages/kernel/src/planted.ts", "@slipway/contracts"),
  planted("kernel-stands-low", "packages/kernel/src/reads-files.ts", "node:fs"),
  planted("contracts-stands-low", "packages/contracts/src/planted.ts", "@slipway/judge"),
  planted("judge-stands-low", "packages/judge/src/planted.ts", "@slipway/contracts"),
  planted("domain-is-pure", "services/alpha/src/domain/reads-files.ts", "node:fs"),
  planted("domain-is-pure", "services/alpha/src/domain/asks-the-database.ts", "@slipway/sql"),
  planted("domain-is-pure", "services/alpha/src/domain/looks-out.ts", "../sound.ts"),
  planted("services-stand-apart", "services/alpha/src/planted.ts", "@slipway/beta"),
  planted("services-stand-apart", "services/beta/src/planted.test.ts", "@slipway/alpha"),
  planted("only-standalone-holds-services", "apps/cli/src/planted.ts", "@slipway/alpha"),
  planted("nothing-looks-up", "services/alpha/src/looks-up.ts", "@slipway/standalone"),
  planted("packages-know-no-service", "packages/cluster/src/planted.ts", "@slipway/alpha"),
  planted("one-door-per-package", "services/alpha/src/deep.ts", "../../../packages/sql/src/sound.ts"),
  planted("testkit-is-for-tests", "services/alpha/src/kit.ts", "@slipway/testkit"),
  planted("regions-are-reached-by-their-api", "packages/cluster/src/near.ts", "@slipway/local-region"),
  planted("kubernetes-client-node-has-its-place", "services/alpha/src/kube.ts", "@kubernetes/client-node"),
  planted("aws-sdk-client-s3-has-its-place", "services/alpha/src/bucket.ts", "@aws-sdk/client-s3"),
  planted("ioredis-has-its-place", "services/alpha/src/cache.ts", "ioredis"),
  planted("fastify-has-its-place", "services/alpha/src/web.ts", "fastify"),
  planted("kafkajs-has-its-place", "services/alpha/src/stream.ts", "kafkajs"),
  planted("pg-has-its-place", "services/alpha/src/rows.ts", "pg"),
  planted("prom-client-has-its-place", "services/alpha/src/meters.ts", "prom-client"),
];

/** The other halves of the planted cycles: a cycle is reported once. */
export const companionFiles = [
  {
    path: "packages/sql/src/tail.ts",
    text: 'import type { Head } from "./head.ts";\nexport type Tail = { head: Head };\n',
  },
  { path: "apps/cli/src/tail.ts", text: from("./head.ts") },
];

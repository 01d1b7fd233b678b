// One service of the platform in a process of its own. scripts/bundle.mjs --services puts this beside services/NAME.mjs.
//
//   service.mjs NAME           runs it; what it reads from the environment is in docs/guides/operating.md
//   service.mjs prepare        schemas, roles and tokens of all services, as the administrator of SLIPWAY_DATABASE_URL
//   service.mjs credentials    the files below SLIPWAY_DATA that all of them are given: tokens, passwords of roles, the key of secrets
import { readdirSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "services");
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".mjs"))
  .map((file) => file.slice(0, -".mjs".length))
  .sort();
const [asked] = process.argv.slice(2);
const ofAll = ["prepare", "credentials"];

if (names.includes(asked)) {
  // What it reads beside its own code (tools of builds, migrations) is found from here.
  await import(`./services/${asked}.mjs`);
} else if (ofAll.includes(asked)) {
  for (const name of names) {
    await import(`./services/${name}.mjs`);
    if (process.exitCode) break;
  }
} else {
  process.stderr.write(`usage: service.mjs NAME | ${ofAll.join(" | ")}\nservices: ${names.join(", ")}\n`);
  process.exitCode = 2;
}

// Brings parts by name for whoever starts real servers outside of the tests:  gather.mjs PART...  prints {found, missing} as JSON.
import { cacheFolder, have, readParts } from "./cache.mjs";

const found = {};
const missing = {};
const parts = readParts(cacheFolder());
for (const name of process.argv.slice(2)) {
  const part = parts.find((each) => each.name === name);
  try {
    if (part === undefined) throw new Error(`no part is called ${name}`);
    found[name] = have(part, undefined, (text) => console.error(text));
  } catch (error) {
    missing[name] = error.message;
  }
}
console.log(JSON.stringify({ found, missing }));

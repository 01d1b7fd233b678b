import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";

/** src -> dist: modules become .js, and the version of package.json is stamped into the first line of each. */
const { version } = JSON.parse(await readFile("package.json", "utf8"));
const names = (await readdir("src")).filter((name) => name.endsWith(".mjs")).sort();

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
for (const name of names) {
  const source = await readFile(`src/${name}`, "utf8");
  const compiled = source.replaceAll(/(from "\.\/[^"]+)\.mjs"/g, '$1.js"');
  await writeFile(`dist/${name.replace(/\.mjs$/, ".js")}`, `// order-service ${version}\n${compiled}`);
}
console.log(`compiled ${names.length} modules of order-service ${version}`);

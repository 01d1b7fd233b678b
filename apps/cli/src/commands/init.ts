import { existsSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Command } from "commander";
import { localAddress } from "../connection.ts";
import { Unusable } from "../exit-codes.ts";
import { slipwayRemote } from "../here.ts";
import { print, say, wantsJson } from "../output.ts";
import { requireFolder } from "../require-folder.ts";
import { typed } from "../typed.ts";

type Own = { readonly force?: boolean; readonly print?: boolean; readonly service?: string };

/** `slipway init [DIR]`: writes down the pipeline that a push without slipway.yaml would get, to be changed. */
export function initCommand(root: Command): void {
  root
    .command("init")
    .description("write a slipway.yaml for a repository, from what is found in it")
    .argument("[dir]", "the repository", ".")
    .option("--service <name>", "the service's name (default: the folder's)")
    .option("--print", "print the file, write nothing")
    .option("--force", "overwrite a slipway.yaml that is there")
    .action(async (dir: string, own: Own) => {
      const folder = resolve(dir);
      const path = join(folder, "slipway.yaml");
      requireFolder(folder);
      if (existsSync(path) && own.force !== true && own.print !== true) {
        throw new Unusable(`${path} is there already. --force overwrites it, --print shows what would be written.`);
      }
      const { detectFile, detectionLines, readRepository, undetectedLines } = await import("@slipway/pipeline");
      const detected = detectFile(await readRepository(folder), await serviceOf(folder, own.service));
      if (detected.kind === "undetected") {
        process.exitCode = 1;
        print(root, { detected: false, ...detected }, `Nothing was written: ${undetectedLines(detected).join("\n")}`);
        return;
      }
      const { text, found, notes } = detected;
      if (own.print === true) {
        print(root, { detected: true, written: null, file: text, found, notes }, text.trimEnd());
        return;
      }
      writeFileSync(path, text);
      const service = /^service: (.+)$/m.exec(text)?.[1] ?? "app";
      const said = [
        ...detectionLines(detected).map((line) => `  ${line}`),
        "",
        ...nextLines(path, service, slipwayRemote(folder) !== undefined),
      ];
      if (!wantsJson(root)) say(`Found in ${folder}:\n`);
      print(root, { detected: true, written: path, file: text, found, notes }, said.join("\n"));
    });
}

async function serviceOf(folder: string, asked: string | undefined) {
  const { ServiceNameSchema } = await import("@slipway/contracts");
  const { serviceNameFrom } = await import("@slipway/pipeline");
  return asked === undefined
    ? typed(ServiceNameSchema, serviceNameFrom(basename(folder)))
    : typed(ServiceNameSchema, asked, "--service");
}

function nextLines(path: string, service: string, hasRemote: boolean): string[] {
  const { url, tokenFile } = localAddress();
  const remote = `${url.replace("://", `://deployer:$(cat ${tokenFile})@`)}/git/${service}.git`;
  return [
    `Written: ${path}. Next:`,
    "  slipway run                    tries the steps on this machine, isolated as in a build",
    "  git add slipway.yaml && git commit -m 'build: by slipway'",
    ...(hasRemote ? [] : [`  git remote add slipway "${remote}"`]),
    "  git push slipway main          builds it, deploys it to dev and tells its address",
  ];
}

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { misspeltWarnings } from "@slipway/host";
import { askedPort, askedRegions, hostRefusal, listeningHost, listensEverywhere } from "./asked.ts";
import { livePlatform, openDataFolder, wipeDataFolder } from "./data-folder.ts";
import { holdFolder } from "./hold-folder.ts";
import { chooseLayout } from "./layout.ts";
import { missingPrograms } from "./needed-programs.ts";
import { type Options, readOptions, usage } from "./options.ts";
import { type LivePage, livePage } from "./page.ts";
import { pidFiles } from "./processes/pid-files.ts";
import { processLog } from "./processes/process-log.ts";
import { type Stack, startStack } from "./stack.ts";
import { startOnFreePort } from "./start-on-free-port.ts";
import { endAllTheSame, StopRequested, untilStopped } from "./stopping.ts";
import { type Narrator, narrator } from "./story/narrator.ts";
import { runStory } from "./story/story.ts";

const entry = resolve(process.argv[1] ?? "");

/** `npm start`: starts everything, tells the story, and stays up until Ctrl-C (or ends after the story with --once). Resolves to the exit code. */
export async function runPlatform(args: readonly string[]): Promise<number> {
  const home = process.env.SLIPWAY_HOME ?? process.cwd();
  const options = readOptions(args, home, process.env.INIT_CWD ?? process.cwd());
  if (typeof options === "string") {
    process.stderr.write(`slipway: ${options}\n\n${usage}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  for (const warning of misspeltWarnings(process.env)) process.stderr.write(`slipway: ${warning}\n`);
  const missing = missingPrograms(process.env.PATH ?? "");
  if (missing !== undefined) {
    process.stderr.write(`slipway: ${missing}\n`);
    return 1;
  }
  const live = livePlatform(options.dataDir);
  if (live !== undefined && !options.fresh) {
    process.stderr.write(`Slipway runs already: ${live.url} (process ${live.pid}, data in ${options.dataDir}).\n`);
    return 3;
  }
  const refusal =
    (options.fresh ? await wipeDataFolder(options.dataDir) : undefined) ?? openDataFolder(options.dataDir);
  if (refusal !== undefined) {
    process.stderr.write(`slipway: ${refusal}\n`);
    return 1;
  }
  if (!(await holdFolder(options.dataDir))) {
    process.stderr.write(`Slipway starts on ${options.dataDir} already, in another process.\n`);
    return 3;
  }
  return startAndTell(options, home);
}

async function startAndTell(options: Options, home: string): Promise<number> {
  const tell = narrator(process.stdout);
  const pids = pidFiles(join(options.dataDir, "pids"));
  const port = hostRefusal(process.env) ?? askedPort(process.env);
  const regions = askedRegions(process.env);
  if (typeof port === "string" || typeof regions === "string") {
    process.stderr.write(`slipway: ${typeof port === "string" ? port : regions}\n`);
    return 1;
  }
  const log = processLog("platform", { file: join(options.dataDir, "logs", "platform.log") });
  const stopping = untilStopped();
  tell.chapter("Up");
  const began = performance.now();
  const { dataDir, noIsolation } = options;
  const page = livePage(dataDir, entry);
  let stopLeft: (() => Promise<void>) | undefined;
  const leaves = (stop: () => Promise<void>) => {
    stopLeft = stop;
  };
  const common = { dataDir, entry, build: buildOf(entry), pids, noIsolation, pageRoutes: page.routes, leaves, log };
  const stack = await startOnFreePort({
    choose: (refused) => chooseLayout(dataDir, pids, { port, regions, host: listeningHost(process.env), refused }),
    start: (layout) => startStack({ ...common, layout }),
    asked: port !== undefined,
    say: tell.line,
  }).catch(async (error: unknown) => {
    await stopLeft?.();
    throw error;
  });
  if (typeof stack === "string") {
    await stopLeft?.();
    process.stderr.write(`slipway: ${stack}\n`);
    return 1;
  }
  try {
    tellUp(tell, stack, performance.now() - began);
    tell.line(`  the live page   ${page.address(stack.url)}`);
    const work = { stack, options, home, tell, log, signal: stopping.signal, entry };
    await page.open(work);
    const code = options.noStory
      ? 0
      : await page.during("The story", () => runStory({ ...work, changeEnded: page.noteEnded }));
    if (options.once) return code;
    tellHowToGoOn(tell, stack, options, page);
    await stopping.stopped;
    return 0;
  } catch (error) {
    if (!(error instanceof StopRequested)) throw error;
    return 130;
  } finally {
    page.stop();
    tell.line("Stopping: traffic, regions, services, Postgres ...");
    await stack.stop();
    tell.line("Everything has stopped.");
    endAllTheSame(log);
  }
}

function tellUp(tell: Narrator, stack: Stack, ms: number): void {
  const regions = stack.layout.regions.length === 3 ? "three" : stack.layout.regions.length;
  tell.line(`Six services, Postgres and ${regions} regions are ready after ${(ms / 1_000).toFixed(1)} s: ${stack.url}`);
  if (listensEverywhere(process.env))
    tell.line(
      "  it listens on every address (SLIPWAY_HOST): whoever reaches the port still needs a token, sent without encryption",
    );
  for (const region of stack.layout.regions) {
    tell.line(`  ${region.name.padEnd(15)} mesh ${region.mesh_url}   kubectl --kubeconfig ${region.kubeconfig}`);
  }
}

function tellHowToGoOn(tell: Narrator, stack: Stack, options: Options, page: LivePage): void {
  tell.chapter("Yours now");
  tell.line(`Page          ${page.address(stack.url)}   (its code signs one browser in; any token does, too)`);
  tell.line(`API and docs  ${stack.url}/docs`);
  tell.line(`Inbox         ${stack.url}/inbox`);
  tell.line(`Repository    ${stack.url}/git/orders.git`);
  const own = `http://deployer:$(cat ${stack.tokenFile("deployer")})@${new URL(stack.url).host}/git/NAME.git`;
  tell.line(`Your own      git remote add slipway "${own}" && git push slipway main`);
  tell.line(`Tokens        ${join(options.dataDir, "tokens")}/{viewer,deployer,approver,admin}`);
  tell.line(`Deployer      ${readFileSync(stack.tokenFile("deployer"), "utf8").trim()}`);
  tell.line("Ctrl-C stops everything and keeps the data; the next npm start goes on from here.");
}

/** Processes of another build are not adopted. */
function buildOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 16);
}

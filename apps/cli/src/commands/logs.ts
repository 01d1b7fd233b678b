import type { Client } from "@slipway/client";
import {
  BuildIdSchema,
  buildLogPath,
  ServiceLogLine,
  ServiceLogNote,
  ServiceLogPlace,
  ServiceLogQuery,
  serviceLogPath,
} from "@slipway/contracts";
import type { Command } from "commander";
import { serviceOr } from "../here.ts";
import { note } from "../note.ts";
import { printLine, say, wantsJson, withClient } from "../output.ts";
import { suggesting } from "../suggest.ts";
import { count, typed } from "../typed.ts";

type Options = {
  readonly env?: string;
  readonly region?: string;
  readonly version?: string;
  readonly tail?: string;
  readonly follow?: boolean;
};

const onBreak = (): void => note("The connection broke off; going on where it was ...");

/** `slipway logs [BUILD|SERVICE]`: a build's log, live while it runs; or what a service's pods print. */
export function logsCommand(root: Command): void {
  root
    .command("logs")
    .description("the log of a build, live while it runs, or what a service's pods print")
    .argument("[what]", "a build, e.g. B-12, or a service (default: that of slipway.yaml here)")
    .option("--env <environment>", "of a service: where (default: where it runs; prod where in several)")
    .option("--region <name>", "of a service: only there (default: all)")
    .option("--version <name>", "of a service: only this one, e.g. orders-3f2a91c-x7k2p")
    .option("--tail <lines>", "of a service: lines of each pod to begin with (default: 100)")
    .option("-f, --follow", "of a service: go on with what comes")
    .action(async (what: string | undefined, own: Options) => {
      if (what !== undefined && /^B-/.test(what)) {
        const id = typed(BuildIdSchema, what);
        return withClient(root, (client) => buildLog(root, client, id));
      }
      const service = serviceOr(what);
      const asked = {
        ...{ region: own.region, version: own.version, environment: own.env },
        ...(own.tail === undefined ? {} : { tail: count("--tail", own.tail, [0, 2_000]) }),
        ...(own.follow === true ? { follow: "true" } : {}),
      };
      const query = typed(ServiceLogQuery, asked, { region: "--region", version: "--version", environment: "--env" });
      return withClient(root, (client) => serviceLog(root, client, service, query));
    });
}

/** Prints a build's log and goes on while the build runs. A connection that breaks resumes where it stopped. */
async function buildLog(root: Command, client: Client, id: string): Promise<void> {
  for await (const event of client.stream(buildLogPath(id), { onBreak })) {
    if (event.event === "end") return;
    if (wantsJson(root)) printLine(root, { build: id, text: event.data }, "");
    else say(event.data.endsWith("\n") ? event.data : `${event.data}\n`);
  }
}

async function serviceLog(root: Command, client: Client, service: string, query: ServiceLogQuery): Promise<void> {
  const asked = {
    service,
    environment: query.environment,
    regions: query.region === undefined ? undefined : [query.region],
  };
  const print = printer(root, service, query);
  await suggesting(client, asked, async () => {
    for await (const { event, data } of client.stream(serviceLogPath(service), { query, onBreak })) {
      if (event === "end") return;
      print(event, data === "" ? undefined : JSON.parse(data));
    }
  });
}

/** Says each event of the log. Where nobody named the environment, which one was found is said, and again where that changes. */
function printer(root: Command, service: string, query: ServiceLogQuery): (event: string, data: unknown) => void {
  let place = "";
  return (event, data) => {
    if (event === "place") {
      const found = placeText(service, ServiceLogPlace.parse(data));
      if (query.environment === undefined && found !== place) note(found);
      place = found;
    } else if (event === "note") {
      const { region, pod, note: text } = ServiceLogNote.parse(data);
      note(`${region} ${pod ?? service} # ${text}`);
    } else {
      const line = ServiceLogLine.parse(data);
      printLine(root, line, `${line.region} ${line.pod} | ${line.line}`);
    }
  };
}

function placeText(service: string, { environment, also }: ServiceLogPlace): string {
  const elsewhere = also.length === 0 ? "" : ` (it runs in ${also.join(", ")}, too: --env chooses)`;
  return `${service} in ${environment}${elsewhere}`;
}

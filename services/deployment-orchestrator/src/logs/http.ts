import type { Target } from "@slipway/cluster";
import {
  anyRole,
  ProblemError,
  ServiceLogQuery as Query,
  type RawOperation,
  type ServiceLogPlace,
  type ServiceLogQuery,
  ServiceNameSchema,
  serviceLogPath,
} from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import type { ServiceName } from "@slipway/kernel";
import { environmentOf } from "../accept.ts";
import { serviceView } from "../live.ts";
import type { Service } from "../service.ts";
import { followRegion, type LogRequest, type LogSink, readRegion } from "./read-pods.ts";

/** Reading without following has an end, whatever the regions do. */
const readMs = 30_000;

const query = (name: string, description: string) => ({ name, in: "query", description }) as const;

const logs: RawOperation = {
  id: "readServiceLogs",
  method: "GET",
  path: serviceLogPath(":name"),
  summary: "What a service's pods print, as text or, asked for events, as they print it",
  auth: "token",
  roles: anyRole,
  parameters: [
    query("environment", "Default: where it runs; production where in several"),
    query("region", "Default: all of them"),
    query("version", "Default: what is live there, and what is being deployed"),
    query("tail", "Lines of each pod to begin with; 100 at first, 2000 at most"),
    query("follow", "true: goes on with what comes, of pods that come too"),
    { name: "Last-Event-ID", in: "header", description: "Goes on with what comes from now on." },
  ],
  answers: {
    200: {
      description: "Lines with region and pod, or the events `place`, `line`, `note` and `end`",
      type: "text/event-stream",
    },
  },
  errors: "problem",
};

/**
 * GET /api/v1/services/:name/logs: what the service's pods print, of one environment (the header `slipway-environment` or the event `place`
 * says which) and all its regions or one. Read from the regions'
 * Kubernetes API and kept nowhere.
 */
export function logRoutes(app: ServiceApp, service: Service): void {
  app.describe(logs);
  app.raw.get(logs.path, async (request, reply) => {
    await app.authorize(request, anyRole);
    const name = ServiceNameSchema.safeParse((request.params as { name: string }).name);
    const query = Query.safeParse(request.query);
    if (!name.success) throw new ProblemError("service.not_found", "There is no such service.");
    if (!query.success) throw invalid(query.error.issues[0]);
    const place = await placeOf(service, name.data, query.data.environment);
    const asked = requestsOf(service, { service: name.data, environment: place.environment }, query.data);
    if (!(request.headers.accept ?? "").includes("text/event-stream")) {
      return reply
        .header("slipway-environment", place.environment)
        .type("text/plain; charset=utf-8")
        .send(await textOf(asked));
    }
    const stream = app.events(request, reply);
    await stream.send({ event: "place", data: JSON.stringify(place) });
    const sink: LogSink = {
      // With an id a reader that comes back is known to have had the beginning: it gets what comes from then on.
      line: (line) => stream.send({ id: "read", event: "line", data: JSON.stringify(line) }),
      note: (note) => stream.send({ event: "note", data: JSON.stringify(note) }),
    };
    const signal = query.data.follow ? stream.signal : AbortSignal.any([stream.signal, AbortSignal.timeout(readMs)]);
    const read = query.data.follow ? followRegion : readRegion;
    const goesOn = query.data.follow && stream.lastEventId !== undefined;
    await Promise.all(asked.map((each) => read({ ...each, ...(goesOn ? { tail: 0 } : {}), signal }, sink)));
    await stream.send({ event: "end", data: "" });
    stream.end();
    return reply;
  });
}

const lookMs = 2_000;

type Asked = Omit<LogRequest, "signal">;

function requestsOf(service: Service, target: Target, query: ServiceLogQuery): readonly Asked[] {
  const { names } = service.regions;
  if (query.region !== undefined && !names.includes(query.region)) {
    throw new ProblemError("region.not_found", `There is no region ${query.region}; there are ${names.join(", ")}.`);
  }
  return names
    .filter((region) => query.region === undefined || region === query.region)
    .map((region) => ({
      region,
      target,
      version: query.version,
      tail: query.tail,
      lookMs,
      cluster: () => service.regions.cluster(region),
      secretValues: () => service.secrets.everyValue({ service: target.service, scope: target.environment }),
    }));
}

/** The environment that was asked for; else production where the service runs there, else the last one in which it does. */
async function placeOf(service: Service, name: ServiceName, asked: string | undefined): Promise<ServiceLogPlace> {
  const { environments } = service;
  const view = await serviceView(service, name);
  const named = asked === undefined ? undefined : environmentOf(service, asked);
  if (view === undefined) throw new ProblemError("service.not_found", `There is no service ${name}.`);
  const places = [...Object.keys(view.live), ...view.under_way.map(({ environment }) => environment)];
  const runs = environments.filter((one) => places.includes(one.name));
  const isProduction = ({ production }: { readonly production: boolean }) => production;
  const found = named ?? runs.find(isProduction) ?? runs.at(-1) ?? environments.find(isProduction);
  if (found === undefined) throw new ProblemError("environment.not_found", `${name} runs in no environment.`);
  return { environment: found.name, also: runs.filter((one) => one !== found).map((one) => one.name) };
}

async function textOf(asked: readonly Asked[]): Promise<string> {
  const lines: string[] = [];
  const sink: LogSink = {
    line: async ({ region, pod, line }) => lines.push(`${region} ${pod} | ${line}\n`) > 0,
    note: async ({ region, pod, note }) => lines.push(`${region} ${pod ?? "-"} # ${note}\n`) > 0,
  };
  const signal = AbortSignal.timeout(readMs);
  await Promise.all(asked.map((each) => readRegion({ ...each, signal }, sink)));
  return lines.join("");
}

function invalid(issue: { readonly path: readonly PropertyKey[]; readonly message: string } | undefined): ProblemError {
  const at = `/query/${issue?.path.join("/") ?? ""}`;
  return new ProblemError("request.invalid", `${at}: ${issue?.message ?? "not valid"}`);
}

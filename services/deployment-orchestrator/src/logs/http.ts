import {
  anyRole,
  ProblemError,
  ServiceLogQuery as Query,
  type RawOperation,
  type ServiceLogQuery,
  ServiceNameSchema,
  serviceLogPath,
} from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import type { EnvironmentName, ServiceName } from "@slipway/kernel";
import { liveVersions } from "../live.ts";
import type { Service } from "../service.ts";
import { findService } from "../store.ts";
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
    query("environment", "Default: prod"),
    query("region", "Default: all of them"),
    query("version", "Default: what is live there, and what is being deployed"),
    query("tail", "Lines of each pod to begin with; 100 at first, 2000 at most"),
    query("follow", "true: goes on with what comes, of pods that come too"),
    { name: "Last-Event-ID", in: "header", description: "Goes on with what comes from now on." },
  ],
  answers: {
    200: {
      description: "Lines with region and pod, or the events `line`, `note` and `end`",
      type: "text/event-stream",
    },
  },
  errors: "problem",
};

/**
 * GET /api/v1/services/:name/logs: what the service's pods print, of one environment and all its regions or one. Read from the regions'
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
    const asked = await requestsOf(service, name.data, query.data);
    if (!(request.headers.accept ?? "").includes("text/event-stream")) {
      return reply.type("text/plain; charset=utf-8").send(await textOf(asked));
    }
    const stream = app.events(request, reply);
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

async function requestsOf(service: Service, name: ServiceName, query: ServiceLogQuery): Promise<readonly Asked[]> {
  const environment = environmentOf(service, query.environment);
  const { names } = service.regions;
  if (query.region !== undefined && !names.includes(query.region)) {
    throw new ProblemError("region.not_found", `There is no region ${query.region}; there are ${names.join(", ")}.`);
  }
  const known = await findService(service.db, name);
  if (known === undefined && Object.keys(await liveVersions(service, name)).length === 0) {
    throw new ProblemError("service.not_found", `There is no service ${name}.`);
  }
  return names
    .filter((region) => query.region === undefined || region === query.region)
    .map((region) => ({
      region,
      target: { environment, service: name },
      version: query.version,
      tail: query.tail,
      lookMs,
      cluster: () => service.regions.cluster(region),
    }));
}

function environmentOf(service: Service, asked: string | undefined): EnvironmentName {
  const { environments } = service;
  const found = environments.find(({ name, production }) => (asked === undefined ? production : name === asked));
  if (found !== undefined) return found.name;
  const names = environments.map(({ name }) => name).join(", ");
  throw new ProblemError("environment.not_found", `There is no environment ${asked}; there are ${names}.`);
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

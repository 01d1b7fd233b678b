import { anyRole, endpoint } from "@slipway/contracts";
import { refuse } from "@slipway/kernel";
import { z } from "zod";
import type { ServiceContext, ServiceModule } from "../src/index.ts";

export const makeNote = endpoint({
  id: "makeNote",
  method: "POST",
  path: "/api/v1/notes",
  summary: "Keep a note",
  roles: ["deployer"],
  query: z.object({ validate_only: z.stringbool().optional() }),
  body: z.strictObject({ text: z.string().min(1).max(100), "a/b": z.number().optional() }),
  status: 201,
  response: z.object({ text: z.string(), count: z.number().int() }),
});

export const listNotes = endpoint({
  id: "listNotes",
  method: "GET",
  path: "/api/v1/notes",
  summary: "All notes",
  roles: anyRole,
  query: z.object({ page_size: z.coerce.number().int().min(1).max(500).default(50) }),
  status: 200,
  response: z.object({ notes: z.array(z.string()), page_size: z.number() }),
});

export const getNote = endpoint({
  id: "getNote",
  method: "GET",
  path: "/api/v1/notes/:n",
  summary: "One note",
  roles: anyRole,
  params: z.object({ n: z.coerce.number().int() }),
  status: 200,
  response: z.object({ text: z.string() }),
});

export const nudge = endpoint({
  id: "nudge",
  method: "POST",
  path: "/api/v1/notes/nudge",
  summary: "An action whose body may be empty",
  roles: ["deployer"],
  body: z.strictObject({ reason: z.string().optional() }),
  emptyBody: true,
  status: 202,
  response: z.object({ reason: z.string().nullable(), by: z.string() }),
});

export const adminOnly = endpoint({
  id: "adminOnly",
  method: "PUT",
  path: "/api/v1/notes/rules",
  summary: "Nobody but admin",
  roles: [],
  status: 200,
  response: z.object({ ok: z.boolean() }),
});

export const misbehave = endpoint({
  id: "misbehave",
  method: "POST",
  path: "/api/v1/notes/misbehave",
  summary: "Goes wrong as asked",
  roles: ["deployer"],
  body: z.object({ how: z.enum(["throw", "wrong_answer", "unknown_code", "extra_field"]) }),
  status: 200,
  response: z.object({ text: z.string() }),
});

export type Notes = {
  readonly module: ServiceModule;
  readonly kept: string[];
  readonly heard: string[];
  /** Notes whose caller went away before the answer. */
  readonly abandoned: string[];
  context?: ServiceContext<unknown, unknown>;
  /** Awaited by makeNote before it answers. */
  gate: Promise<void>;
  /** Calls of makeNote so far. */
  entered: number;
  /** Awaited by drain. */
  drainGate: Promise<void>;
  /** Not ready while set. */
  trouble: string | undefined;
  readonly order: string[];
};

/** A small service with everything a real one has: typed routes, raw routes, a stream, a subscription. */
export function notesModule(): Notes {
  const notes: Notes = {
    kept: [],
    heard: [],
    abandoned: [],
    order: [],
    gate: Promise.resolve(),
    entered: 0,
    drainGate: Promise.resolve(),
    trouble: undefined,
    module: {
      name: "notification-service",
      schema: "notification",
      config: z.object({ SLIPWAY_GREETING: z.string().default("hello") }),
      start: async (context) => {
        notes.context = context;
        return {
          routes: (app) => routes(app, notes),
          subscriptions: [
            {
              group: "notes",
              topics: ["slipway.note.v1"],
              handler: async (event) => {
                notes.heard.push(event.id);
              },
            },
          ],
          ready: async () => notes.trouble,
          drain: async () => {
            notes.order.push("drain");
            await notes.drainGate;
          },
          close: async () => void notes.order.push("close"),
        };
      },
    },
  };
  return notes;
}

function routes(app: Parameters<Awaited<ReturnType<ServiceModule["start"]>>["routes"]>[0], notes: Notes): void {
  app.serve(makeNote, async ({ body, signal }) => {
    signal.addEventListener("abort", () => notes.abandoned.push(body.text));
    if (body.text === "refuse me") return refuse("deployment.phase", "not now", "wait");
    notes.entered += 1;
    await notes.gate;
    notes.kept.push(body.text);
    return { text: body.text, count: notes.kept.length };
  });
  app.serve(listNotes, async ({ query }) => ({ notes: notes.kept, page_size: query.page_size }));
  app.serve(getNote, async ({ params }) => {
    const text = notes.kept[params.n];
    return text === undefined ? refuse("artifact.not_found", `there is no note ${params.n}`) : { text };
  });
  app.serve(nudge, async ({ body, principal }) => ({ reason: body.reason ?? null, by: principal.name }));
  app.serve(adminOnly, async () => ({ ok: true }));
  app.serve(misbehave, async ({ body }) => {
    if (body.how === "throw") throw new Error("secret detail of the inside");
    if (body.how === "unknown_code") return refuse("no.such_code", "hm");
    if (body.how === "extra_field") return { text: "fine", secret: "inside" };
    return { text: 1 } as unknown as { text: string };
  });
  app.raw.addContentTypeParser("application/json", { parseAs: "buffer" }, (_, body, done) => done(null, body));
  app.raw.post("/webhooks/note", async (request) => ({ bytes: (request.body as Buffer).length }));
  app.raw.get("/v2/", async (request) => {
    const principal = await app.authorize(request, ["viewer"], { challenge: "basic" });
    return { name: principal.name };
  });
  app.raw.get("/api/v1/notes/events", async (request, reply) => {
    await app.authorize(request, anyRole);
    const stream = app.events(request, reply, { heartbeatMs: 20 });
    const from = Number(stream.lastEventId ?? 0);
    for (let n = from + 1; n <= from + 3; n += 1)
      await stream.send({ id: String(n), event: "note", data: `note ${n}\nline 2` });
  });
  app.raw.get("/api/v1/notes/flood", async (request, reply) => {
    const stream = app.events(request, reply, { maxBufferedBytes: 100_000 });
    const data = "x".repeat(20_000);
    // Nobody waits for `send` here: the cap has to hold by itself.
    for (let n = 0; n < 2_000 && !stream.signal.aborted; n += 1) void stream.send({ data });
    notes.order.push(stream.signal.aborted || request.raw.destroyed ? "cut off" : "swallowed all");
  });
}

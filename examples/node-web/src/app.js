import Fastify from "fastify";

const quotes = [
  { id: 1, text: "Ships are safe in harbour, but that is not what ships are for." },
  { id: 2, text: "A smooth sea never made a skilled sailor." },
];

export function buildApp(options = {}) {
  const app = Fastify(options);
  app.get("/", async () => ({ service: "node-web", quotes: "/quotes" }));
  app.get("/healthz", async () => ({ ok: true, version: process.env.SLIPWAY_VERSION ?? "development" }));
  app.get("/quotes", async () => quotes);
  app.get("/quotes/:id", async (request, reply) => {
    const quote = quotes.find(({ id }) => id === Number(request.params.id));
    return quote ?? reply.code(404).send({ error: "no such quote" });
  });
  return app;
}

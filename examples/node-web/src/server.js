import { buildApp } from "./app.js";

const app = buildApp({ logger: true });
await app.listen({ port: Number(process.env.PORT ?? 3000), host: process.env.HOST ?? "0.0.0.0" });
process.once("SIGTERM", () => app.close());

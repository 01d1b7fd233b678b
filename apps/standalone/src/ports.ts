import { createServer } from "node:net";

/** The port if nobody listens on it, else undefined. */
export function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const found = typeof address === "object" && address !== null ? address.port : undefined;
      server.close(() => resolve(found));
    });
  });
}

/** The port of before where it is free still, so that addresses stay; else any free one. */
export async function keepPort(before: number | undefined): Promise<number> {
  const kept = before === undefined ? undefined : await tryPort(before);
  const port = kept ?? (await tryPort(0));
  if (port === undefined) throw new Error("there is no free port on 127.0.0.1");
  return port;
}

import { createServer } from "node:net";

/** The port if nobody listens on it at that address, else undefined. Who wants every address needs it to be free on every one. */
export function tryPort(port: number, host = "127.0.0.1"): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, host, () => {
      const address = server.address();
      const found = typeof address === "object" && address !== null ? address.port : undefined;
      server.close(() => resolve(found));
    });
  });
}

/** A port that was given and is not listened on yet is free to everybody: the system may well name it a second time. */
const mostTries = 100;

/** The port of before where it is free still, so that addresses stay; else any free one. None that is among `given`, to which it is added. */
export async function keepPort(before: number | undefined, given: Set<number>): Promise<number> {
  const kept = before === undefined || given.has(before) ? undefined : await tryPort(before);
  let port = kept ?? (await tryPort(0));
  for (let tries = 1; port !== undefined && given.has(port) && tries < mostTries; tries += 1) port = await tryPort(0);
  if (port === undefined || given.has(port)) throw new Error("there is no free port on 127.0.0.1");
  given.add(port);
  return port;
}

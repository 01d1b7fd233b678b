import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** Ports of the loopback that nobody listens on; all are held until the last is found, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => (server.listening ? undefined : once(server, "listening"))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Nobody else takes it before a server does, or that server says so and the test fails by name. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

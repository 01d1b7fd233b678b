import { connect, isIP, type Socket } from "node:net";
import { connect as connectByTls } from "node:tls";
import type { ISocketFactory } from "kafkajs";

const keepAliveMs = 60_000;

/** The connections of one client. The library may open one more while it is told to let go of all, and then nobody would ever close that. */
export type Sockets = {
  readonly open: ISocketFactory;
  /** Cuts those that are left; from now on none can be opened. What the library still tries ends with a refusal. */
  cut(): void;
};

export function kafkaSockets(): Sockets {
  const left = new Set<Socket>();
  let over = false;
  return {
    open({ host, port, ssl, onConnect }) {
      if (over) throw new Error("the bus is closed");
      const server = isIP(host) === 0 ? { servername: host } : {};
      const socket = ssl
        ? connectByTls({ host, port, ...server, ...(typeof ssl === "object" ? ssl : {}) }, onConnect)
        : connect({ host, port }, onConnect);
      left.add(socket);
      socket.once("close", () => left.delete(socket));
      socket.setKeepAlive(true, keepAliveMs);
      return socket;
    },
    cut() {
      over = true;
      // With an error, since the library takes no notice of a socket that closes without one.
      for (const socket of left) socket.destroy(new Error("the bus is closed"));
    },
  };
}

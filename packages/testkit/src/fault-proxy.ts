import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A network between two parts that can be made a bad one: whoever is told this port reaches the other through it. */
export type FaultProxy = {
  readonly port: number;
  /** Every byte waits so long, both ways. 0: none does. */
  delay(ms: number): void;
  /** Bytes are taken and never handed on, also those of new connections: both ends look alive. What was swallowed does not come later. */
  swallow(on: boolean): void;
  /** What is open goes dead: both ends look alive, and nothing comes through any more. New connections are taken. */
  strand(): void;
  /** Bytes that were swallowed so far. */
  swallowed(): number;
  /** Connections on which something was swallowed so far. */
  deaf(): number;
  /** Resets what is open; new connections are taken. Answers how many were cut. */
  cut(): number;
  stop(): Promise<void>;
};

type State = {
  delayMs: number;
  swallows: boolean;
  swallowed: number;
  readonly deaf: Set<Socket>;
  readonly stranded: WeakSet<Socket>;
};

/** A TCP proxy on a loopback port of its own to another one, or to a Unix socket. */
export async function startFaultProxy(to: number | string): Promise<FaultProxy> {
  const state: State = { delayMs: 0, swallows: false, swallowed: 0, deaf: new Set(), stranded: new WeakSet() };
  const pairs = new Set<readonly [Socket, Socket]>();
  // Each way ends by itself, as it would without a proxy.
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const place = typeof to === "string" ? { path: to } : { port: to, host: "127.0.0.1" };
    const far = connect({ ...place, allowHalfOpen: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    hand(near, far, state);
    hand(far, near, state);
    for (const socket of pair) {
      // What breaks on one side is broken on both: a close always follows.
      socket.on("error", () => {});
      socket.once("close", () => {
        pairs.delete(pair);
        for (const one of pair) one.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    const count = pairs.size;
    for (const [near, far] of pairs) {
      near.resetAndDestroy();
      // A Unix socket knows no reset.
      if (typeof to === "string") far.destroy();
      else far.resetAndDestroy();
    }
    return count;
  };
  return {
    port: (server.address() as AddressInfo).port,
    delay(ms) {
      state.delayMs = ms;
    },
    swallow(on) {
      state.swallows = on;
    },
    strand() {
      for (const pair of pairs) for (const socket of pair) state.stranded.add(socket);
    },
    swallowed: () => state.swallowed,
    deaf: () => state.deaf.size,
    cut,
    async stop() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}

/** Each piece in its turn, however the delay changes meanwhile; the end comes last. */
function hand(from: Socket, to: Socket, state: State): void {
  let turn = Promise.resolve();
  const later = (work: () => unknown): void => {
    const due = performance.now() + state.delayMs;
    turn = turn.then(() => until(due)).then(() => void work());
  };
  from.on("data", (piece) => {
    if (state.swallows || state.stranded.has(from)) {
      state.swallowed += piece.byteLength;
      state.deaf.add(from);
    } else later(() => to.writable && to.write(piece));
  });
  from.once("end", () => {
    if (!state.swallows && !state.stranded.has(from)) later(() => to.end());
  });
}

function until(due: number): Promise<void> {
  const ms = due - performance.now();
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}

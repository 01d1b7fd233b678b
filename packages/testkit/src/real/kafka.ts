import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { type FaultProxy, startFaultProxy } from "../fault-proxy.ts";
import { until } from "../until.ts";
import { freePorts } from "./free-ports.ts";
import { type Broker, type BrokerPlan, type Door, formatStore, lastWords, startBroker } from "./kafka-broker.ts";
import { type RealPart, runFolder } from "./part.ts";

export type RealKafka = {
  /** For SLIPWAY_BUS_URL; names every broker. */
  readonly url: string;
  /** Of the second door, where there is one: host and port. */
  readonly door: string | undefined;
  /** With `proxied`: what stands before each broker, in their order. */
  readonly proxies: readonly FaultProxy[];
  /** kill -9 of the broker at this place, from 0 on. Resolves when the process is gone. */
  kill(place: number): Promise<void>;
  /** kill -9 of every broker, and their disks are lost. `restart` starts them on empty ones. */
  lose(): Promise<void>;
  /** Starts a broker that was killed, on its old port and store. Resolves when its port is open, which is before it serves. */
  restart(place: number): Promise<void>;
  /** Ends every broker and removes what they wrote. */
  stop(): Promise<void>;
};

export type RealKafkaOptions = {
  /** 1, or 3 that keep three copies of everything and need two of them. Default 1. */
  readonly brokers?: 1 | 3;
  /** Further properties of each broker. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Makes the stores and takes the ports, but starts nothing: `restart` does. */
  readonly down?: boolean;
  /** Clients, and brokers among themselves, reach a broker through a fault proxy alone. */
  readonly proxied?: boolean;
  /** A second listener by TLS, for one user with a password (PLAIN and SCRAM-SHA-512). */
  readonly door?: Omit<Door, "port">;
};

/** Real Kafka (KRaft) on free ports of the loopback. */
export async function startKafka(
  part: RealPart,
  { brokers = 1, properties = {}, down = false, proxied = false, door }: RealKafkaOptions = {},
): Promise<RealKafka> {
  const root = await mkdtemp(join(runFolder(), "kafka-"));
  const ports = await freePorts(3 * brokers);
  const proxies = proxied
    ? await Promise.all(placesOf(brokers).map((place) => startFaultProxy(ports[3 * place] ?? 0)))
    : [];
  const plans = plansFor(brokers, { root, part, properties, door, ports, proxies });
  const running = new Map<number, Broker>();

  async function start(place: number): Promise<void> {
    const plan = planAt(place);
    const broker = await startBroker(plan);
    running.set(place, broker);
    const what = `broker ${plan.id} of Kafka to listen`;
    const over = broker.gone.then(() => Promise.reject(new Error("it has ended")));
    await Promise.race([until(() => listens(plan.port), { what, timeoutMs: 180_000 }), over]).catch(
      async (error: unknown) => {
        throw new Error(`${what}: in vain: ${await lastWords(plan)}`, { cause: error });
      },
    );
  }

  function planAt(place: number): BrokerPlan {
    const plan = plans[place];
    if (plan === undefined) throw new RangeError(`there is no broker ${place}`);
    return plan;
  }

  async function end(place: number, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await running.get(place)?.end(signal);
    running.delete(place);
  }

  const kafka: RealKafka = {
    url: `kafka://${plans.map(({ advertisedPort }) => `127.0.0.1:${advertisedPort}`).join(",")}`,
    proxies,
    door: plans[0]?.door === undefined ? undefined : `127.0.0.1:${plans[0].door.port}`,
    kill: (place) => end(place, "SIGKILL"),
    async lose() {
      await Promise.all(plans.map((_, place) => end(place, "SIGKILL")));
      await Promise.all(plans.map(({ folder }) => rm(folder, { recursive: true, force: true })));
      for (const plan of plans) await formatStore(plan);
    },
    restart: start,
    async stop() {
      // Nothing of them is needed any more: no reason to let them write it down in order.
      await Promise.all(plans.map((_, place) => end(place, "SIGKILL")));
      await Promise.all(proxies.map((proxy) => proxy.stop()));
      await rm(root, { recursive: true, force: true });
    },
  };
  try {
    for (const plan of plans) await formatStore(plan);
    if (!down) await Promise.all(plans.map((_, place) => start(place)));
    return kafka;
  } catch (error) {
    await kafka.stop();
    throw error;
  }
}

const placesOf = (brokers: number) => Array.from({ length: brokers }, (_, place) => place);

function plansFor(
  brokers: number,
  {
    root,
    door,
    ports,
    proxies,
    ...shared
  }: Pick<BrokerPlan, "part" | "properties"> & {
    readonly root: string;
    readonly door: Omit<Door, "port"> | undefined;
    /** Three for each broker. */
    readonly ports: readonly number[];
    readonly proxies: readonly FaultProxy[];
  },
): readonly BrokerPlan[] {
  const places = placesOf(brokers);
  const voters = places.map((place) => `${place + 1}@127.0.0.1:${ports[3 * place + 1]}`).join(",");
  return places.map((place) => ({
    id: place + 1,
    port: ports[3 * place] ?? 0,
    advertisedPort: proxies[place]?.port ?? ports[3 * place] ?? 0,
    controllerPort: ports[3 * place + 1] ?? 0,
    door: door === undefined ? undefined : { ...door, port: ports[3 * place + 2] ?? 0 },
    voters,
    brokers,
    folder: join(root, `broker-${place + 1}`),
    ...shared,
  }));
}

async function listens(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

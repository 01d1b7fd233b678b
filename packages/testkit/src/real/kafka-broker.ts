import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RealPart } from "./part.ts";
import { leash } from "./server.ts";

const log4j = join(import.meta.dirname, "kafka-log4j2.yaml");
const clusterId = "Xol7YoXZTdSYPwVhtKBDBg";
/** One thread's garbage collector and compiler: of two cores a broker leaves something to the tests. */
const thrifty = ["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

export type BrokerPlan = {
  readonly id: number;
  readonly port: number;
  /** Where clients are sent: its own port, or that of a proxy before it. */
  readonly advertisedPort: number;
  /** Of all brokers: `1@127.0.0.1:7001,…`. */
  readonly voters: string;
  readonly controllerPort: number;
  readonly brokers: number;
  /** Its folder: made here, removed by whoever made the one above. */
  readonly folder: string;
  readonly part: RealPart;
  readonly properties: Readonly<Record<string, string>>;
  readonly door: Door | undefined;
};

/** A second listener of a broker: by TLS, for one user with a password. */
export type Door = {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Key and certificate in PEM. */
  readonly pemFile: string;
};

export type Broker = {
  readonly pid: number;
  /** Resolves once it has ended, whoever did it. */
  readonly gone: Promise<unknown>;
  /** Resolves once the process is gone. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
};

/** Makes the store of a broker that has never run. */
export async function formatStore(plan: BrokerPlan): Promise<void> {
  await mkdir(plan.folder, { recursive: true });
  const properties = join(plan.folder, "server.properties");
  await writeFile(properties, propertiesOf(plan));
  const scram = plan.door === undefined ? [] : ["-S", scramOf(plan.door)];
  const child = java(plan, ["kafka.tools.StorageTool", "format", "-t", clusterId, "-c", properties, ...scram]);
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`a store of Kafka could not be made: ${await lastWords(plan)}`);
}

/** Starts a broker on its store. It may take a while until it answers. */
export async function startBroker(plan: BrokerPlan): Promise<Broker> {
  const child = java(plan, ["kafka.Kafka", join(plan.folder, "server.properties")]);
  await once(child, "spawn");
  const gone = once(child, "exit");
  const cleanUp = () => void child.kill("SIGKILL");
  process.once("exit", cleanUp);
  return {
    pid: child.pid ?? 0,
    gone,
    async end(signal) {
      child.kill(signal);
      await gone;
      process.off("exit", cleanUp);
    },
  };
}

/** The end of what a broker wrote. */
export async function lastWords(plan: BrokerPlan): Promise<string> {
  return (await readFile(join(plan.folder, "log"), "utf8").catch(() => "")).slice(-2_000);
}

function java(plan: BrokerPlan, program: readonly string[]): ChildProcess {
  const log = openSync(join(plan.folder, "log"), "a");
  try {
    const [file = "", ...args] = [...leash, plan.part.program, ...thrifty, `-Dlog4j2.configurationFile=${log4j}`];
    return spawn(file, [...args, ...program], { cwd: plan.folder, stdio: ["ignore", log, log] });
  } finally {
    closeSync(log);
  }
}

function propertiesOf(plan: BrokerPlan): string {
  const { id, port, advertisedPort, controllerPort, voters, brokers, folder } = plan;
  const doorAt = plan.door === undefined ? "" : `,DOOR://127.0.0.1:${plan.door.port}`;
  const copies = String(brokers);
  const inSync = String(Math.max(1, brokers - 1));
  const all: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": String(id),
    "controller.quorum.voters": voters,
    ...doorProperties(plan.door),
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${doorAt}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${advertisedPort}${doorAt}`,
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,DOOR:SASL_SSL",
    "log.dirs": join(folder, "data"),
    "auto.create.topics.enable": "false",
    "default.replication.factor": copies,
    "min.insync.replicas": inSync,
    "offsets.topic.replication.factor": copies,
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": copies,
    "transaction.state.log.min.isr": inSync,
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": copies,
    "share.coordinator.state.topic.min.isr": inSync,
    "group.initial.rebalance.delay.ms": "0",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
    "log.cleaner.dedupe.buffer.size": "4194304",
    // A broker that was killed may come back once its old session is over: 9 s without these.
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "200",
    ...plan.properties,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

const scramOf = ({ user, password }: Door): string => `SCRAM-SHA-512=[name=${user},password=${password}]`;

function doorProperties(door: Door | undefined): Record<string, string> {
  if (door === undefined) return {};
  const { user, password, pemFile } = door;
  const login = "org.apache.kafka.common.security";
  const plain = `username="${user}" password="${password}" user_${user}="${password}"`;
  const of = (name: string) => `listener.name.door.${name}`;
  return {
    [of("sasl.enabled.mechanisms")]: "PLAIN,SCRAM-SHA-512",
    [of("plain.sasl.jaas.config")]: `${login}.plain.PlainLoginModule required ${plain};`,
    [of("scram-sha-512.sasl.jaas.config")]: `${login}.scram.ScramLoginModule required;`,
    [of("ssl.keystore.type")]: "PEM",
    [of("ssl.keystore.location")]: pemFile,
  };
}

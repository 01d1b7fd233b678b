import { z } from "zod";

const mechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const;

/** What SLIPWAY_BUS_URL says of a Kafka cluster. */
export type KafkaAddress = {
  readonly brokers: readonly string[];
  /** The brokers as text, for logs and errors: never with the password. */
  readonly shown: string;
  readonly tls: boolean;
  readonly sasl:
    | { readonly mechanism: (typeof mechanisms)[number]; readonly username: string; readonly password: string }
    | undefined;
  /** Copies of each event in topics that are made here. Undefined: 3, or one per broker where there are fewer. */
  readonly replication: number | undefined;
  /** Stands before the name of each topic and consumer group, so that two installations may share one Kafka. */
  readonly prefix: string;
};

/** Leaves room for the names themselves: Kafka takes 249 characters. */
const prefixShape = /^[a-zA-Z0-9._-]{1,100}$/;

const Settings = z.strictObject({
  sasl: z.enum(mechanisms).optional(),
  replication: z.coerce.number().int().min(1).max(10).optional(),
  prefix: z.string().regex(prefixShape).optional(),
});
const shape = /^kafka(\+ssl)?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/i;
const broker = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i;

/**
 * `kafka://[user:password@]host[:9092][,host…][?sasl=scram-sha-512][&replication=3][&prefix=team-a.]`, with TLS as `kafka+ssl://`. Throws Error with a sentence
 * that says what is wrong and never quotes the password.
 */
export function parseKafkaUrl(url: string): KafkaAddress {
  const parts = shape.exec(url);
  if (parts === null)
    throw new Error("a Kafka URL looks like kafka://host:9092,host:9092 or kafka+ssl://user:password@host:9093");
  const [, tls, credentials, hosts = "", query = ""] = parts;
  const brokers = hosts.split(",").map(brokerOf);
  const settings = settingsOf(query);
  return {
    brokers,
    shown: brokers.join(","),
    tls: tls !== undefined,
    sasl: credentials === undefined ? undefined : saslOf(credentials, settings.sasl ?? "scram-sha-512"),
    replication: settings.replication,
    prefix: settings.prefix ?? "",
  };
}

/** Undefined when the URL can be read. */
export function kafkaUrlProblem(url: string): string | undefined {
  try {
    parseKafkaUrl(url);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function brokerOf(text: string): string {
  const parts = broker.exec(text.trim());
  const port = Number(parts?.[2] ?? 9092);
  if (parts === null || port < 1 || port > 65_535)
    // What stands behind the colon may be a password whose host was forgotten.
    throw new Error(`"${text.replace(/:.*/, "")}" is no broker: give host:port, several with commas between`);
  return `${parts[1]}:${port}`;
}

function settingsOf(query: string): z.output<typeof Settings> {
  const parsed = Settings.safeParse(Object.fromEntries(new URLSearchParams(query)));
  if (parsed.success) return parsed.data;
  throw new Error(
    `behind the ? stand sasl=${mechanisms.join("|")}, replication=1…10 and prefix= (letters, digits, dot, dash, underscore; 100 at most), nothing else`,
  );
}

function saslOf(credentials: string, mechanism: (typeof mechanisms)[number]): NonNullable<KafkaAddress["sasl"]> {
  const at = credentials.indexOf(":");
  if (at <= 0) throw new Error("before the @ stand user:password, percent-encoded");
  try {
    const [username, password] = [credentials.slice(0, at), credentials.slice(at + 1)].map(decodeURIComponent);
    return { mechanism, username: username ?? "", password: password ?? "" };
  } catch {
    throw new Error("user or password before the @ are not percent-encoded as they should be");
  }
}

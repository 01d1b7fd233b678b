import { certificateTrouble } from "@slipway/kernel";
import type { KafkaAddress } from "./address.ts";

/** Idempotent producers, headers of messages, and reading of what is committed came with it. */
export const oldestKafka = "0.11";

/** The bus cannot be used now. The message says why, and what to do; it may be otherwise later. */
export class BusUnavailable extends Error {}

/** What was asked for, where it was about one topic, or a consumer group. */
export type Asked = { readonly topic?: string | undefined; readonly group?: string | undefined };

/** What a failure of the client library means, as a sentence that says what to do. */
export function busUnavailable(error: unknown, address: KafkaAddress, { topic, group }: Asked = {}): BusUnavailable {
  if (error instanceof BusUnavailable) return error;
  const { names, types, message } = causesOf(error);
  const { shown: at, prefix } = address;
  return new BusUnavailable(sentence({ names, types, message, topic, group, at, prefix }), { cause: error });
}

/** What the library has only written to its log. */
export function connectionTrouble(text: string): Error {
  return Object.assign(new Error(text), { name: "KafkaJSConnectionError" });
}

/** Brokers that have just started, or have just made a topic, answer so for a second or two: the same question is worth asking again. */
const settling =
  /LOAD_IN_PROGRESS|COORDINATOR_NOT_AVAILABLE|NOT_COORDINATOR|REBALANCE_IN_PROGRESS|NOT_LEADER|LEADER_NOT_AVAILABLE/;

export function isSettling(error: unknown): boolean {
  return settling.test(causesOf(error).types);
}

/** So the library says, too, where a user has no right on the group. */
export function isCoordinatorMissing(error: unknown): boolean {
  return /GroupCoordinatorNotFound/.test(causesOf(error).names);
}

const unspoken = /ServerDoesNotSupportApiKey|UNSUPPORTED_VERSION|API Versions not supported/;

type Trouble = {
  readonly names: string;
  readonly types: string;
  readonly message: string;
  readonly topic: string | undefined;
  readonly group: string | undefined;
  readonly at: string;
  /** Of the names of topics and groups. */
  readonly prefix: string;
};

function sentence(trouble: Trouble): string {
  const { names, types, message, topic, at } = trouble;
  if (/SASLAuthentication|UnsupportedSaslMechanism/.test(names) || /SASL/.test(types))
    return `Kafka at ${at} refuses to let Slipway in (${message}): correct user, password and ?sasl= in SLIPWAY_BUS_URL`;
  const tls = tlsTrouble(message, at);
  if (tls !== undefined) return tls;
  if (unspoken.test(`${names} ${types} ${message}`))
    return `Kafka at ${at} does not speak what Slipway does (${message}): upgrade it to ${oldestKafka} or newer, or name another in SLIPWAY_BUS_URL`;
  if (/AUTHORIZATION_FAILED/.test(types)) return notAllowed(trouble);
  if (/INVALID_TOPIC/.test(types) || /Invalid topic/.test(message))
    return `Kafka takes no topic called "${topic ?? ""}": letters, digits, dot, underscore and dash only, 249 at most`;
  if (/INVALID_REPLICATION_FACTOR/.test(types))
    return `Kafka at ${at} has too few brokers for the copies asked for${about(topic)}: lower ?replication= in SLIPWAY_BUS_URL, or start more brokers`;
  if (/NOT_ENOUGH_REPLICAS/.test(types))
    return `Kafka at ${at} has too few brokers alive to keep events safe${about(topic)}: bring the missing ones back`;
  if (/UNKNOWN_TOPIC/.test(types))
    return `Kafka at ${at} has lost a topic it had${about(topic)}: it is made again when it is next published to`;
  if (/MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE/.test(types))
    return `an event is larger than Kafka takes${about(topic)}: raise max.message.bytes of the topic`;
  if (/ConnectionClosed/.test(names) || /^Closed connection/.test(message))
    return `Kafka does not answer at ${at} (it closed the connection): start it, or correct SLIPWAY_BUS_URL, which begins with kafka+ssl:// where TLS is spoken`;
  if (/Connection|NoBroker|BrokerNotFound|Timeout|NumberOfRetriesExceeded|LockTimeout|Metadata/.test(names))
    return `Kafka does not answer at ${at} (${message}): start it, or correct SLIPWAY_BUS_URL`;
  return `Kafka at ${at} cannot be used${about(topic)} (${message}): see its own log`;
}

/** By what it was that may not be done: a user has rights on topics, on groups and on the cluster, each by itself. */
function notAllowed({ types, message, topic, group, at, prefix }: Trouble): string {
  if (/GROUP_AUTHORIZATION/.test(types)) {
    const groups = prefix === "" ? "" : `, best on all that begin with ${prefix}`;
    return `Kafka at ${at} does not let Slipway's user into ${group === undefined ? "a consumer group" : `the consumer group ${group}`} (${message}): give it the right Read on that group${groups}`;
  }
  if (/CLUSTER_AUTHORIZATION/.test(types))
    return `Kafka at ${at} does not allow it${about(topic)} (${message}): give Slipway's user the right IdempotentWrite on the cluster, which a Kafka before 2.8 asks for, and the right Create on topics ${prefix}slipway.*`;
  return `Kafka at ${at} does not allow it${about(topic)} (${message}): give Slipway's user the rights to read, write and create topics ${prefix}slipway.*`;
}

/** In the words of Node, which are all that the library keeps of what was wrong with a certificate. */
const certificateCodes: readonly (readonly [RegExp, string])[] = [
  [/certificate has expired/, "CERT_HAS_EXPIRED"],
  [/certificate is not yet valid/, "CERT_NOT_YET_VALID"],
  [/does not match certificate's altnames/, "ERR_TLS_CERT_ALTNAME_INVALID"],
  [/self.signed certificate/, "SELF_SIGNED_CERT_IN_CHAIN"],
  [/unable to (verify the first|get (local )?issuer) certificate/, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
];

function tlsTrouble(message: string, at: string): string | undefined {
  const untrusted = certificateTrouble(certificateError(message), {
    certificate: `the certificate of Kafka at ${at}`,
    rename: "name its brokers in SLIPWAY_BUS_URL, and in their advertised.listeners, as their certificates do",
    trust: "give its authority to this process (NODE_EXTRA_CA_CERTS), or correct SLIPWAY_BUS_URL",
  });
  if (untrusted !== undefined) return untrusted;
  return /certificate|ssl|tls|EPROTO|wrong version/i.test(message)
    ? `no TLS with Kafka at ${at} (${message}): check kafka+ssl:// in SLIPWAY_BUS_URL`
    : undefined;
}

function certificateError(message: string): Error | undefined {
  const code = certificateCodes.find(([words]) => words.test(message))?.[1];
  const subjectaltname = /the cert's (?:list|altnames): (.+)$/.exec(message)?.[1];
  return code === undefined ? undefined : Object.assign(new Error(message), { code, cert: { subjectaltname } });
}

const about = (topic: string | undefined): string => (topic === undefined ? "" : ` for topic ${topic}`);

/** An error of the library wraps others: all their names and protocol codes, and the innermost message. */
function causesOf(error: unknown): { names: string; types: string; message: string } {
  const names: string[] = [];
  const types: string[] = [];
  let message = "";
  const seen = new Set<unknown>();
  const look = (one: unknown): void => {
    if (!(one instanceof Error) || seen.has(one)) return;
    seen.add(one);
    names.push(one.name);
    if ("type" in one && typeof one.type === "string") types.push(one.type);
    message = one.message;
    look(one.cause);
    if ("errors" in one && Array.isArray(one.errors)) one.errors.forEach(look);
  };
  look(error);
  return { names: names.join(" "), types: types.join(" "), message: message || String(error) };
}

import type { CloudEvent } from "@slipway/contracts";
import { within } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import type { KafkaAddress } from "./address.ts";
import type { Publisher } from "./publisher.ts";
import type { Reader } from "./reader.ts";
import { BusUnavailable } from "./trouble.ts";

/** Its first event says whose the topics of this prefix are. Kept for ever. */
const name = "slipway.installation.v1";
/** Nobody waits longer for the answer than this. */
const askMs = 3_000;
/** Without an answer, or with one that somebody has to do something about, it is asked for again after this. */
const againMs = 5_000;

export type Ownership = {
  /** Rejects with BusUnavailable where the topics are known to be another installation's. What cannot be found out keeps nobody from anything. */
  check(): Promise<void>;
  /** What was found the last time, a sentence, without waiting for anything; it has it asked for again where that is worth it. */
  problem(): string | undefined;
};

export type OwnershipParts = {
  readonly reader: Pick<Reader, "read">;
  /** Into topics whose events are kept for ever. Undefined: it is only looked, and nothing is left there. */
  readonly publisher: Publisher | undefined;
  readonly address: KafkaAddress;
  readonly log: Logger;
  /** Which one this is; undefined: it cannot be told now. */
  installation(): Promise<string | undefined>;
};

/**
 * Two installations on one Kafka have the same names for topics, groups and deployments. So the first to come leaves its identity there, and whoever has
 * another goes no further. Of two that come at once the first event of the one subject decides, which both read back.
 */
export function openOwnership({ reader, publisher, address, log, installation }: OwnershipParts): Ownership {
  const topic = `${address.prefix}${name}`;
  let isOurs = false;
  let asking: Promise<string | undefined> | undefined;
  let last = { at: Number.NEGATIVE_INFINITY, problem: undefined as string | undefined };

  async function owner(): Promise<string | undefined> {
    const { events } = await reader.read(topic, 0, 1);
    return events[0]?.source;
  }

  async function ask(): Promise<string | undefined> {
    const own = await installation();
    if (own === undefined) return undefined;
    const claimed = await owner();
    if (claimed === undefined && publisher === undefined) return undefined;
    if (claimed === undefined) await publisher?.publish(topic, [claimOf(own)]);
    const found = claimed ?? (await owner());
    isOurs = found === own;
    return isOurs || found === undefined ? undefined : foreign(address, topic);
  }

  async function askNow(): Promise<string | undefined> {
    const problem = await ask().catch((error: unknown) => {
      log.debug({ err: error, topic }, "whose the topics are could not be found out");
      return undefined;
    });
    last = { at: performance.now(), problem };
    return problem;
  }

  /** Undefined: there is nothing to wait for. */
  function begin(): Promise<string | undefined> | undefined {
    if (!isOurs && asking === undefined && performance.now() - last.at > againMs)
      asking = askNow().finally(() => {
        asking = undefined;
      });
    return asking;
  }

  return {
    async check() {
      const answer = begin();
      const problem = answer === undefined ? last.problem : await within(askMs, answer, () => last.problem);
      if (problem !== undefined) throw new BusUnavailable(problem);
    },
    problem() {
      void begin();
      return last.problem;
    },
  };
}

function claimOf(installation: string): CloudEvent {
  return {
    specversion: "1.0",
    id: installation,
    source: installation,
    type: "installation.claimed",
    subject: "installation",
    time: new Date().toISOString() as CloudEvent["time"],
    datacontenttype: "application/json",
    data: {},
  };
}

function foreign({ shown, prefix }: KafkaAddress, topic: string): string {
  return `the topics ${prefix}slipway.* of Kafka at ${shown} belong to another Slipway: give one of the two ${prefix === "" ? "a" : "another"} ?prefix= in SLIPWAY_BUS_URL, or, where that other is gone for good, delete its topics, ${topic} among them`;
}

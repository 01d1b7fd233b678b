import { within } from "@slipway/kernel";
import type { Admin, Kafka } from "kafkajs";
import { settled } from "../run-handler.ts";
import type { KafkaAddress } from "./address.ts";
import { type Asked, busUnavailable, isSettling } from "./trouble.ts";

const callDeadlineMs = 15_000;
/** So long, brokers that have just started or made a topic are asked again. */
const settlesWithinMs = 10_000;
const askAgainMs = 200;

/** One connection for questions about topics and offsets, made anew after a failure. */
export type Questions = {
  /** Rejects with BusUnavailable. */
  ask<T>(question: (admin: Admin) => Promise<T>, about?: Asked): Promise<T>;
  close(): Promise<void>;
};

export function openQuestions(kafka: () => Promise<Kafka>, address: KafkaAddress): Questions {
  let current: Promise<Admin> | undefined;

  async function open(): Promise<Admin> {
    const admin = (await kafka()).admin();
    await admin.connect();
    return admin;
  }

  async function drop(admin: Promise<Admin> | undefined): Promise<void> {
    if (current === admin) current = undefined;
    await (await admin?.catch(() => undefined))?.disconnect().catch(() => undefined);
  }

  return {
    async ask(question, about) {
      const notAfter = performance.now() + settlesWithinMs;
      for (;;) {
        current ??= open();
        const asked = current;
        try {
          return await answered(callDeadlineMs, asked.then(question));
        } catch (error) {
          // What it knows of leaders may be old: a new connection asks anew.
          void drop(asked);
          if (!isSettling(error) || performance.now() > notAfter) throw busUnavailable(error, address, about);
          await new Promise((resolve) => setTimeout(resolve, askAgainMs));
        }
      }
    },
    close: async () => await settled([drop(current)], 5_000),
  };
}

export class DeadlineTimeout extends Error {
  override readonly name = "DeadlineTimeout";
}

/** Rejects with DeadlineTimeout when it takes longer; what runs may go on. */
export function answered<T>(ms: number, work: Promise<T>): Promise<T> {
  return within(ms, work, () => {
    throw new DeadlineTimeout(`no answer within ${ms} ms`);
  });
}

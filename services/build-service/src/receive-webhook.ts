import { ProblemError } from "@slipway/contracts";
import type { Durable } from "@slipway/durable";
import { type Instant, instant } from "@slipway/kernel";
import type { Db, Tx } from "@slipway/sql";
import type { BuildMachine } from "./build-world.ts";
import { queueBuild } from "./domain/decide.ts";
import {
  type Answer,
  type Delivery,
  earlierAnswer,
  insertBuild,
  lockDeliveries,
  nextBuild,
  type RepositoryRow,
  repositoryByKeys,
  saveDelivery,
} from "./store.ts";
import type { BuildTables } from "./tables.ts";
import {
  bodyHash,
  type PushedCommit,
  readPush,
  readWebhook,
  signatureMatches,
  type Unreadable,
  type WebhookHeaders,
} from "./webhook.ts";

export type WebhookPorts = {
  readonly db: Db<BuildTables>;
  readonly durable: Durable;
  readonly machine: BuildMachine;
};

/**
 * Takes one delivery of GitHub: verified over its raw bytes, written down together with the build that it asks for, and only
 * then answered. A delivery that comes again gets the answer of the first time and no second build.
 *
 * Throws ProblemError webhook.* for what is not accepted.
 */
export async function receiveWebhook(ports: WebhookPorts, headers: WebhookHeaders, body: Uint8Array): Promise<Answer> {
  if (headers.signature === undefined) {
    throw new ProblemError("webhook.signature_missing", "The header X-Hub-Signature-256 is missing.", {
      remedy: "Set the webhook's secret to the one the repository was registered with.",
    });
  }
  const webhook = readWebhook(body);
  if ("kind" in webhook) throw unreadable(webhook);
  const repository = await repositoryByKeys(ports.db, webhook.matchKeys);
  if (repository === undefined) {
    throw new ProblemError(
      "webhook.repository_unknown",
      `No service has the repository ${webhook.matchKeys.join(", ") || "of this webhook, which names none by its URL"}.`,
      {
        remedy: "An admin registers it: slipway repositories set SERVICE URL.",
      },
    );
  }
  if (!signatureMatches(body, repository.secret, headers.signature)) {
    throw new ProblemError("webhook.signature_invalid", "The signature does not match the repository's secret.", {
      remedy: "Set the webhook's secret to the one the repository was registered with; GitHub signs with it.",
    });
  }
  const push = readPush(headers.event, webhook.payload);
  if (push.kind === "unreadable") throw unreadable(push);
  if (push.kind === "ignored") return { status: 200, body: { ignored: push.why } };
  const { service } = repository;
  const delivery = { service, deliveryId: headers.delivery, bodyHash: bodyHash(body), event: headers.event };
  return ports.db.transaction().execute((tx) => acceptOnce(ports, tx, repository, delivery, push));
}

async function acceptOnce(
  ports: WebhookPorts,
  tx: Tx<BuildTables>,
  repository: RepositoryRow,
  delivery: Delivery,
  push: PushedCommit,
): Promise<Answer> {
  await lockDeliveries(tx, repository.service);
  const earlier = await earlierAnswer(tx, delivery);
  if (earlier !== undefined) return earlier;
  const { number, id, now } = await nextBuild(tx);
  const { gitSha, ref, author } = push;
  const about = { buildId: id, service: repository.service, gitSha, ref, author, queuedAt: now };
  const { state, commands } = queueBuild(about, committedAt(push, now));
  await insertBuild(tx, { number, id, service: repository.service, gitSha, createdAt: now });
  await ports.durable.create(tx, ports.machine, id, state, commands);
  const answer: Answer = { status: 202, body: { build_id: id, service: repository.service, git_sha: gitSha } };
  await saveDelivery(tx, delivery, answer, now);
  return answer;
}

function committedAt(push: PushedCommit, otherwise: Instant): Instant {
  return push.committedAt === undefined ? otherwise : instant(push.committedAt);
}

function unreadable(reason: Unreadable): ProblemError {
  return new ProblemError("webhook.payload_invalid", `The payload cannot be used: ${reason.why}.`);
}

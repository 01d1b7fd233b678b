import type { ECRClient } from "@aws-sdk/client-ecr";
import type { AuthSource, RegistryAuth } from "./auth.ts";
import type { EcrPlace } from "./ecr-place.ts";
import { ecrRefusal } from "./ecr-problem.ts";
import { OciError } from "./errors.ts";

type Issued = { readonly auth: RegistryAuth; readonly at: number; readonly until: number };

const minKeepMs = 60_000;
const maxKeepMs = 12 * 3_600_000;

/**
 * Passwords of ECR for whoever the AWS SDK's default chain says that this process is. They are good for 12 hours, and for every registry that
 * this account may use: each host they are sent to is one that the operator has named.
 */
export function ecrAuth(place: EcrPlace, nowMs: () => number = () => performance.now()): AuthSource {
  let issued: Issued | undefined;
  let asking: Promise<Issued> | undefined;
  let client: Promise<ECRClient> | undefined;
  const ask = async (): Promise<Issued> => {
    client ??= openEcr(place).then((opened) => opened.client);
    const at = nowMs();
    const { auth, lifetimeMs } = await askForPassword(await client, place);
    // Renewed while a quarter of its time is left, by a clock that nobody sets; a date in the past must not make us ask for ever.
    return { auth, at, until: at + Math.min(maxKeepMs, Math.max(minKeepMs, lifetimeMs * 0.75)) };
  };
  return {
    async current(signal) {
      if (issued !== undefined && nowMs() < issued.until) return issued.auth;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      issued = await unlessAborted(asking, signal, place);
      return issued.auth;
    },
    refused(at) {
      if (issued !== undefined && issued.at <= at) issued = undefined;
    },
  };
}

/** A client of ECR's own API, as whoever the AWS SDK's default chain says that this process is. */
export async function openEcr({ region, endpoint }: EcrPlace) {
  const aws = await loaded();
  const client = new aws.ECRClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 3_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
  });
  return { aws, client };
}

async function askForPassword(client: ECRClient, place: EcrPlace): Promise<{ auth: RegistryAuth; lifetimeMs: number }> {
  const { GetAuthorizationTokenCommand } = await loaded();
  const answer = await client.send(new GetAuthorizationTokenCommand({})).catch((error: unknown) => {
    throw ecrRefusal(error, place);
  });
  const { authorizationToken = "", expiresAt } = answer.authorizationData?.[0] ?? {};
  const [, username, password] =
    /^([^:]+):(.+)$/s.exec(Buffer.from(authorizationToken, "base64").toString("utf8")) ?? [];
  if (username === undefined || password === undefined) {
    throw new OciError("unauthorised", `ECR of ${place.region} answered without a password`);
  }
  return { auth: { username, password }, lifetimeMs: (expiresAt?.getTime() ?? 0) - Date.now() };
}

/** With the first question: few platforms have one. Its default export is there however it was bundled. */
async function loaded() {
  return (await import("@aws-sdk/client-ecr")).default;
}

/** Others may wait for the same answer, so that only this one stops waiting. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal, { region }: EcrPlace): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = () => reject(new OciError("unavailable", `ECR of ${region} gave no password in time`));
    if (signal.aborted) give();
    signal.addEventListener("abort", give, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", give));
  });
}

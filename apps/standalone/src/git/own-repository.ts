import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "@slipway/client";
import {
  getService,
  listEnvironments,
  ProblemError,
  putRepository,
  putService,
  ServiceNameSchema,
} from "@slipway/contracts";
import type { EnvironmentName } from "@slipway/kernel";
import { HookFile } from "./deliver-push.ts";
import { ensureBareRepository } from "./repository.ts";

/** What a first push needs; asked for at each push, since addresses are known once the platform listens. */
export type OwnRepositories = {
  /** Folder of the bare repositories. */
  readonly folder: string;
  readonly url: string;
  readonly dataDir: string;
  /** The program that hooks start. */
  readonly entry: string;
  readonly admin: Client;
};

/** Makes sure that what is pushed to has a repository, a hook and a service. Answers why it cannot, for the pusher. */
export type Registrar = (service: string, pusher: string) => Promise<string | undefined>;

/**
 * The registrar of a platform. A push to a name that nobody has makes the repository and registers the service with the pusher as its owner;
 * one to a repository of an earlier address writes its hook anew. Pushes to one name come one after the other here.
 */
export function registrar(repositories: () => OwnRepositories): Registrar {
  const under = new Map<string, Promise<string | undefined>>();
  return (service, pusher) => {
    const before = under.get(service) ?? Promise.resolve(undefined);
    const next = before.catch(() => undefined).then(() => register(repositories(), service, pusher));
    under.set(service, next);
    return next;
  };
}

async function register(own: OwnRepositories, service: string, pusher: string): Promise<string | undefined> {
  const repository = join(own.folder, `${service}.git`);
  const url = `${own.url}/git/${service}.git`;
  const hook = readHook(repository);
  if (hook?.url === url) return undefined;
  if (hook === undefined && (await isKnown(own.admin, service))) {
    return `The service "${service}" is registered with a repository elsewhere. Push to another name, or there.`;
  }
  const secret = hook?.secret ?? randomBytes(24).toString("base64url");
  const name = ServiceNameSchema.parse(service);
  if (hook === undefined) {
    const body = { owner: pusher, deploys_to: await firstEnvironment(own.admin) };
    await own.admin.call(putService, { params: { name }, body });
  }
  await own.admin.call(putRepository, { params: { service: name }, body: { url, secret } });
  // The hook comes last: where it is, everything before it has happened.
  const follow = hook === undefined ? { url: own.url, dataDir: own.dataDir } : hook.follow;
  await ensureBareRepository(
    repository,
    {
      ...{ repository, url, secret, webhook: `${own.url}/webhooks/github`, fullName: `local/${service}` },
      ...(follow === undefined ? {} : { follow: { ...follow, url: own.url } }),
    },
    own.entry,
  );
  return undefined;
}

/** Where a push may go without anybody else: the first environment, unless that is production already. */
async function firstEnvironment(client: Client): Promise<EnvironmentName | null> {
  const { environments } = await client.call(listEnvironments);
  const [first] = environments;
  return first === undefined || first.production ? null : first.name;
}

function readHook(repository: string): HookFile | undefined {
  const file = join(repository, "slipway-hook.json");
  return existsSync(file) ? HookFile.safeParse(JSON.parse(readFileSync(file, "utf8"))).data : undefined;
}

async function isKnown(client: Client, service: string): Promise<boolean> {
  try {
    await client.call(getService, { params: { name: ServiceNameSchema.parse(service) } });
    return true;
  } catch (error) {
    if (error instanceof ProblemError && error.status === 404) return false;
    throw error;
  }
}

import { readFile } from "node:fs/promises";
import { addressClass } from "./address-class.ts";
import type { Credentials } from "./auth.ts";
import { ecrAuth } from "./ecr.ts";
import { createEcrRepository } from "./ecr-repository.ts";
import { OciError } from "./errors.ts";
import { type ConnectionGuard, checkHop } from "./guard.ts";
import { parseImageReference } from "./reference.ts";
import { ecrPlaceOf, externalRegistries, type RegistriesFile } from "./registries-file.ts";
import { registryProblem } from "./registry-problem.ts";

/** Where an image is fetched: Docker Hub answers under another name than its images carry. */
export type ForeignSource = {
  readonly host: string;
  readonly url: URL;
  readonly repository: string;
  readonly digest: string;
};

/** A registry that images are written to. */
export type PushTarget = {
  readonly host: string;
  readonly url: URL;
  readonly auth: Credentials | undefined;
  /** Makes a repository there; undefined where the registry does so by itself, or nobody but the operator may. */
  readonly makeRepository: ((name: string) => Promise<void>) | undefined;
};

export type ForeignRegistries = {
  readonly guard: ConnectionGuard;
  /** Throws OciError `invalid` for what is no image by digest, `refused` for a host that may not be asked. */
  sourceOf(image: string): ForeignSource;
  /** What the operator has for this host. */
  credentials(host: string): Promise<Credentials | undefined>;
  /** Throws OciError `refused` for a host that may not be asked, `unauthorised` where its password cannot be read. */
  targetOf(host: string): Promise<PushTarget>;
  /** What keeps the hosts that the operator has named, here or elsewhere, from being asked: a sentence each. */
  problems(elsewhere?: { readonly hosts: readonly string[]; readonly namedIn: string }): Promise<readonly string[]>;
};

const unreadable = (host: string) =>
  `the password of ${host} cannot be read: correct its password_file in ${externalRegistries}`;
const hubNames = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/** `loopback`: registries of this machine may be copied from, without TLS. */
export function foreignRegistries(file: RegistriesFile, loopback: boolean): ForeignRegistries {
  const hosts = new Map(Object.entries(file.hosts));
  const guard = guardOf(file, loopback);
  // One for all copies from there, so that a password is asked for once in its time.
  const issuers = new Map(
    [...hosts].flatMap(([host, { ecr }]) => {
      const place = ecr === undefined ? undefined : ecrPlaceOf(host, ecr);
      return place === undefined ? [] : [[host, ecrAuth(place)] as const];
    }),
  );
  const whereIs = (host: string): URL => {
    const scheme = hosts.get(host)?.http === true || (loopback && isLoopbackName(host)) ? "http" : "https";
    return hubNames.has(host) ? new URL("https://registry-1.docker.io") : urlOf(scheme, host);
  };
  const credentials = async (host: string): Promise<Credentials | undefined> => {
    const issuer = issuers.get(host);
    if (issuer !== undefined) return issuer;
    const entry = hosts.get(host);
    if (entry?.username === undefined || entry.password_file === undefined) return undefined;
    return { username: entry.username, password: (await readFile(entry.password_file, "utf8")).trim() };
  };
  const readable = (host: string): Promise<Credentials | undefined> =>
    credentials(host).catch((cause: unknown) => {
      throw new OciError("unauthorised", unreadable(host), { cause });
    });
  return {
    guard,
    sourceOf(image) {
      const { host, repository, digest } = parseImageReference(image);
      const hub = hubNames.has(host);
      const url = whereIs(host);
      checkHop(guard, url);
      return { host, url, repository: hub && !repository.includes("/") ? `library/${repository}` : repository, digest };
    },
    credentials,
    async targetOf(host) {
      const url = whereIs(host);
      checkHop(guard, url);
      const ecr = hosts.get(host)?.ecr;
      const place = ecr?.create_repositories === true ? ecrPlaceOf(host, ecr) : undefined;
      const makeRepository = place === undefined ? undefined : (name: string) => createEcrRepository(place, host, name);
      return { host, url, auth: await readable(host), makeRepository };
    },
    async problems(elsewhere = { hosts: [], namedIn: externalRegistries }) {
      const found = [...new Set([...hosts.keys(), ...elsewhere.hosts])].map(async (host) => {
        try {
          const auth = await credentials(host);
          return await registryProblem(
            host,
            { url: whereIs(host).href, ...(auth && { auth }) },
            hosts.has(host) ? externalRegistries : elsewhere.namedIn,
          );
        } catch {
          return unreadable(host);
        }
      });
      return (await Promise.all(found)).filter((problem) => problem !== undefined);
    },
  };
}

function guardOf(file: RegistriesFile, loopback: boolean): ConnectionGuard {
  const hosts = new Map(Object.entries(file.hosts));
  const withoutPort = (host: string): string => host.replace(/:\d+$/, "");
  const names = new Set([...hosts.keys()].map(withoutPort));
  const mayBePrivate = new Set([...hosts].flatMap(([host, entry]) => (entry.private ? [withoutPort(host)] : [])));
  const hubIsNamed = [...hubNames].some((name) => hosts.has(name));
  const whyNot = (url: URL): string | undefined => {
    const entry = hosts.get(url.host);
    const local = loopback && isLoopbackName(url.hostname);
    const plain = url.protocol === "http:" && (entry?.http === true || local);
    if (url.protocol !== "https:" && !plain)
      return "only https is spoken to registries that the operator has not named";
    if (entry !== undefined || local) return undefined;
    if (names.has(url.hostname)) return "the operator has named it with another port";
    const named = file.public || (hubIsNamed && hubNames.has(url.hostname));
    return named ? undefined : "the operator has not named it";
  };
  return {
    checkUrl(url) {
      const why = url.username === "" && url.password === "" ? whyNot(url) : "its address carries credentials";
      if (why !== undefined) throw new OciError("refused", `${url.host} may not be asked for images: ${why}`);
    },
    checkAddress(hostname, address) {
      const kind = addressClass(address);
      const here = loopback && kind === "loopback";
      if (kind === "public" || here || (kind !== "forbidden" && mayBePrivate.has(hostname))) return;
      const where = kind === "forbidden" ? "an address that no registry has" : `a ${kind} address`;
      throw new OciError("refused", `${hostname} may not be asked for images: it is at ${where}`);
    },
  };
}

function urlOf(scheme: "http" | "https", host: string): URL {
  try {
    return new URL(`${scheme}://${host}`);
  } catch (cause) {
    throw new OciError("invalid", `${host} is no host`, { cause });
  }
}

function isLoopbackName(host: string): boolean {
  return /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?$/.test(host);
}

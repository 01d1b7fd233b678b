import { readFile } from "node:fs/promises";
import { addressClass } from "./address-class.ts";
import type { Credentials } from "./auth.ts";
import { ecrAuth } from "./ecr.ts";
import { OciError } from "./errors.ts";
import { type ConnectionGuard, checkHop } from "./guard.ts";
import { parseImageReference } from "./reference.ts";
import { ecrPlaceOf, externalRegistries, type RegistriesFile, readRegistriesFile } from "./registries-file.ts";
import { registryProblem } from "./registry-problem.ts";

/** Where an image is fetched: Docker Hub answers under another name than its images carry. */
export type ForeignSource = {
  readonly host: string;
  readonly url: URL;
  readonly repository: string;
  readonly digest: string;
};

export type ForeignRegistries = {
  readonly guard: ConnectionGuard;
  /** Throws OciError `invalid` for what is no image by digest, `refused` for a host that may not be asked. */
  sourceOf(image: string): ForeignSource;
  /** What the operator has for this host. */
  credentials(host: string): Promise<Credentials | undefined>;
  /** What keeps the hosts that the operator has named from being asked, a sentence each. */
  problems(): Promise<readonly string[]>;
};

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
    async problems() {
      const found = [...hosts.keys()].map(async (host) => {
        try {
          const auth = await credentials(host);
          return await registryProblem(host, { url: whereIs(host).href, ...(auth && { auth }) }, externalRegistries);
        } catch {
          return `the password of ${host} cannot be read: correct its password_file in ${externalRegistries}`;
        }
      });
      return (await Promise.all(found)).filter((problem) => problem !== undefined);
    },
  };
}

/**
 * What keeps the registries that the file at `path` names from being copied from, a sentence each: what the service that copies warns of. Never
 * rejects: a file that cannot be read is one of them.
 */
export async function foreignRegistryProblems(path: string, loopback: boolean): Promise<readonly string[]> {
  try {
    return await foreignRegistries(readRegistriesFile(path), loopback).problems();
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
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

import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import { isIP } from "node:net";

/**
 * Says what a client may reach when strangers name the registries. Both are asked for every hop: the registry, its token server, and where
 * it redirects to. They throw OciError `refused`.
 */
export type ConnectionGuard = {
  checkUrl(url: URL): void;
  /** Called with each address a host's name stands for at the moment of connecting, so that a name cannot change its meaning in between. */
  checkAddress(hostname: string, address: string): void;
};

/** Checks a URL, and its host where that is an address already: no name is looked up for those. */
export function checkHop(guard: ConnectionGuard | undefined, url: URL): void {
  if (guard === undefined) return;
  guard.checkUrl(url);
  const literal = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(literal) !== 0) guard.checkAddress(url.hostname, literal);
}

type Found = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

/** Looks names up as Node does, and fails where one of the addresses may not be reached. */
export function guardedLookup(guard: ConnectionGuard) {
  return (hostname: string, options: LookupOptions, done: Found): void => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, []);
      try {
        for (const { address } of addresses) guard.checkAddress(hostname, address);
      } catch (refused) {
        return done(refused as Error, []);
      }
      const [first] = addresses;
      if (options.all === true || first === undefined) return done(null, addresses);
      done(null, first.address, first.family);
    });
  };
}

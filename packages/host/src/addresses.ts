import type { HostConfig } from "./config.ts";
import { urlVariable } from "./url-variable.ts";

/** Where services answer. `own` is known once the host listens. */
export type Addresses = {
  /** Base URL of a service: its own variable, else this process when it runs here, else the platform's URL. */
  of(service: string): string;
  readonly public: string;
};

export function addresses(config: HostConfig, here: ReadonlySet<string>, own: () => string | undefined): Addresses {
  const ownOrGuess = (): string => {
    const url = own() ?? (config.port === undefined || config.port === 0 ? undefined : guess(config));
    if (url === undefined) throw new Error("the host does not listen yet");
    return url;
  };
  return {
    of(service) {
      const elsewhere = config.env[urlVariable(service)]?.replace(/\/+$/, "");
      if (elsewhere !== undefined) return elsewhere;
      return here.has(service) ? ownOrGuess() : (config.publicUrl ?? ownOrGuess());
    },
    get public() {
      return config.publicUrl ?? ownOrGuess();
    },
  };
}

const guess = (config: HostConfig): string => baseUrl(config.host, config.port ?? 0);

/** A URL that reaches a listener from this machine. */
export function baseUrl(host: string, port: number): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

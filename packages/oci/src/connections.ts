import { certificateTrouble } from "@slipway/kernel";
import type { Agent, Dispatcher } from "undici";
import { OciError } from "./errors.ts";
import { type ConnectionGuard, guardedLookup } from "./guard.ts";

type Options = Omit<Dispatcher.RequestOptions, "origin" | "path" | "method"> & {
  readonly method?: Dispatcher.HttpMethod;
};

type Opened = { readonly agent: Agent; readonly request: typeof import("undici").request };

/**
 * The connections to one registry. The HTTP library is loaded with the first request: where every image is there already none is made. One that did not answer
 * in time may have gone dead without a word, and those opened beside it with it: what comes next has new ones, and the old end with what is under way on them.
 */
export class Connections {
  readonly #guard: ConnectionGuard | undefined;
  readonly #retired = new Set<Agent>();
  #opened: Promise<Opened> | undefined;

  constructor(guard: ConnectionGuard | undefined) {
    this.#guard = guard;
  }

  /** Throws OciError `untrusted` where the certificate of that host is not believed: of the registry, its token server, or where it redirects to. */
  async request(url: URL, options: Options): Promise<Dispatcher.ResponseData> {
    this.#opened ??= this.#open();
    const opening = this.#opened;
    const { agent, request } = await opening;
    try {
      return await request(url, { ...options, dispatcher: agent });
    } catch (cause) {
      if (isSilence(cause) && this.#opened === opening) this.#renew(agent);
      const trouble = certificateTrouble(cause, {
        certificate: `the certificate of ${url.host}`,
        rename: `name the registry as its certificate does, or give it one for ${url.host}`,
      });
      throw trouble === undefined ? cause : new OciError("untrusted", trouble, { cause });
    }
  }

  async close(): Promise<void> {
    const present = (await this.#opened)?.agent;
    await Promise.all([...this.#retired, ...(present === undefined ? [] : [present])].map((agent) => agent.destroy()));
  }

  #renew(silent: Agent): void {
    this.#opened = this.#open();
    this.#retired.add(silent);
    void silent
      .close()
      .catch(() => undefined)
      .finally(() => this.#retired.delete(silent));
  }

  async #open(): Promise<Opened> {
    // Its default export is there however it was bundled.
    const { Agent, request } = (await import("undici")).default;
    const guard = this.#guard;
    const agent = new Agent({
      connections: 8,
      keepAliveTimeout: 30_000,
      connect: { timeout: 5_000, ...(guard === undefined ? {} : { lookup: guardedLookup(guard) }) },
      headersTimeout: 60_000,
      bodyTimeout: 30_000,
    });
    return { agent, request };
  }
}

function isSilence(error: unknown): boolean {
  return error instanceof Error && /^(TimeoutError|HeadersTimeoutError)$/.test(error.name);
}

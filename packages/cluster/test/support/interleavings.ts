import type { Connection, RequestOptions } from "../../src/connection.ts";
import { ApiStatus, RegionUnavailable } from "../../src/errors.ts";

/**
 * Every order in which requests of several actors can reach one API, tried one after the other: each run starts anew,
 * holds every request at a gate and lets them through in the order that is being tried. Orders that differ only in
 * neighbours that cannot tell who came first are tried once (sleep sets): two reads, or anything beside a request that
 * does not arrive. So is what comes after two orders in which every actor was told the same and the same was written:
 * actors are functions of what they are answered. (A server that numbers its objects anew tells each run something else.)
 */
type Move = {
  /** The same request of the same actor has the same id in every run. */
  readonly id: string;
  readonly actor: string;
  readonly reads: boolean;
  readonly action: Action;
};

/**
 * What happens to a request at the gate. `late`: its sender gives up, and it arrives at any later moment, or at the very
 * end. `lost`: it never arrives. `conflict`: the server answers 409 without doing it.
 */
type Action = "through" | "late" | "lost" | "conflict";

type Held = { readonly actor: string; readonly number: number; readonly reads: boolean; act(action: Action): void };

export type Actor = { readonly name: string; run(connection: Connection): Promise<unknown> };

export type Scenario = {
  readonly actors: readonly Actor[];
  /** The connection behind the gate. */
  readonly connection: Connection;
  /** Which requests are held. */
  readonly gated: (path: string) => boolean;
  /** Told of each write that took hold, with the object as it then stood. */
  readonly onWrite: (actor: string, object: unknown) => void;
  /** Called when all actors have ended; throws when something is wrong. */
  readonly check: (results: Readonly<Record<string, unknown>>) => void | Promise<void>;
};

/** `runs` came to their end; `pruned` came to where an earlier one had been. */
export type Exploration = { readonly runs: number; readonly pruned: number };

/** Orders drawn at random, for scenarios that are too large to be tried in full. */
export async function exploreSome(
  start: () => Promise<Scenario>,
  { faults, runs, random }: { readonly faults: number; readonly runs: number; readonly random: () => number },
): Promise<void> {
  for (let count = 0; count < runs; count += 1) {
    const run = new Run(await start(), faults);
    const path: Move[] = [];
    for (let moves = await run.moves(); moves.length > 0; moves = await run.moves()) {
      const move = moves[Math.floor(random() * moves.length)] as Move;
      path.push(move);
      await run.make(move);
    }
    await run.finish(path);
  }
}

type Branch = { readonly path: readonly Move[]; readonly sleep: readonly Move[] };

/** Where runs have been, and which moves were asleep there. */
type Seen = Map<string, (readonly string[])[]>;

export async function exploreAll(
  start: () => Promise<Scenario>,
  { faults, most }: { readonly faults: number; readonly most: number },
): Promise<Exploration> {
  const stack: Branch[] = [{ path: [], sleep: [] }];
  const seen: Seen = new Map();
  let runs = 0;
  let pruned = 0;
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (runs + pruned >= most) throw new Error(`more than ${most} orders: ${runs} tried`);
    if (await explore(new Run(await start(), faults), next, stack, seen)) runs += 1;
    else pruned += 1;
  }
  return { runs, pruned };
}

/** Follows one branch to its end, always by the first move, and leaves the other moves on the stack. False: what is left of it was tried already. */
async function explore(run: Run, { path: given, sleep: asleep }: Branch, stack: Branch[], seen: Seen) {
  for (const move of given) await run.make(move);
  const path = [...given];
  let sleep = asleep;
  for (;;) {
    const moves = await run.moves();
    const [first, ...others] = moves.filter(({ id }) => !sleep.some((slept) => slept.id === id));
    if (first === undefined) return moves.length === 0 ? run.finish(path) : run.abandon();
    if (wasHere(seen, run.place(), sleep)) return run.abandon();
    const done = [first];
    for (const other of others) {
      stack.push({ path: [...path, other], sleep: [...sleep, ...done].filter((each) => independent(each, other)) });
      done.push(other);
    }
    sleep = sleep.filter((each) => independent(each, first));
    path.push(first);
    await run.make(first);
  }
}

/** Whether an earlier run was there with no more moves asleep: it left nothing to try. Notes this one otherwise. */
function wasHere(seen: Seen, place: string, sleep: readonly Move[]): boolean {
  const ids = sleep.map(({ id }) => id);
  const before = seen.get(place) ?? [];
  if (before.some((slept) => slept.every((id) => ids.includes(id)))) return true;
  seen.set(place, [...before, ids]);
  return false;
}

function independent(a: Move, b: Move): boolean {
  if (a.actor === b.actor) return false;
  // The faults are limited in number: one may take the other's place.
  if (a.action !== "through" && b.action !== "through") return false;
  return (a.reads && b.reads) || a.action !== "through" || b.action !== "through";
}

class Run {
  readonly #scenario: Scenario;
  readonly #held = new Map<string, Held>();
  readonly #results: Record<string, unknown> = {};
  readonly #numbers = new Map<string, number>();
  readonly #late = new Map<string, () => Promise<void>>();
  /** What each actor was answered, and what was written. */
  readonly #told = new Map<string, string[]>();
  readonly #written: string[] = [];
  #running: number;
  #faults: number;
  #abandoned = false;
  #wake = () => {};

  constructor(scenario: Scenario, faults: number) {
    this.#scenario = scenario;
    this.#faults = faults;
    this.#running = scenario.actors.length;
    for (const actor of scenario.actors) void this.#start(actor);
  }

  async #start(actor: Actor): Promise<void> {
    this.#results[actor.name] = await actor.run(this.#gate(actor.name)).catch((error: unknown) => error);
    this.#running -= 1;
    this.#wake();
  }

  #gate(actor: string): Connection {
    const { connection, gated } = this.#scenario;
    return {
      ...connection,
      lines: (path, query, signal) => connection.lines(path, query, signal),
      close: () => connection.close(),
      request: (method, path, options) => {
        if (!gated(path)) return connection.request(method, path, options);
        if (this.#abandoned) return new Promise<never>(() => undefined);
        return this.#hold(actor, method, path, options);
      },
    };
  }

  #hold(
    actor: string,
    method: Parameters<Connection["request"]>[0],
    path: string,
    options: RequestOptions | undefined,
  ) {
    const number = (this.#numbers.get(actor) ?? 0) + 1;
    this.#numbers.set(actor, number);
    const reads = method === "GET";
    const send = async () => {
      const answer = await this.#scenario.connection.request(method, path, options);
      if (!reads) this.#wrote(actor, answer);
      return answer;
    };
    return new Promise<unknown>((resolve, reject) => {
      const timeout = () =>
        reject(new RegionUnavailable(actor, "no answer", { cause: new DOMException("", "TimeoutError") }));
      this.#held.set(actor, {
        actor,
        number,
        reads,
        act: (action) => {
          if (action === "through")
            return void send().then(
              (answer) => {
                this.#tell(actor, JSON.stringify(answer));
                resolve(answer);
              },
              (error: unknown) => {
                this.#tell(actor, String(error));
                reject(error);
              },
            );
          this.#tell(actor, action);
          if (action === "late") this.#late.set(`${actor}#${number} arriving`, () => send().then(() => {}, ignore));
          return action === "conflict" ? reject(new ApiStatus(409, "Conflict", "busy")) : timeout();
        },
      });
      this.#running -= 1;
      this.#wake();
    });
  }

  #tell(actor: string, what: string): void {
    this.#told.set(actor, [...(this.#told.get(actor) ?? []), what]);
  }

  #wrote(actor: string, object: unknown): void {
    this.#written.push(`${actor} ${JSON.stringify(object)}`);
    this.#scenario.onWrite(actor, object);
  }

  /** Two runs at the same place go on in the same ways. */
  place(): string {
    const told = [...this.#told].sort(([a], [b]) => (a < b ? -1 : 1));
    return JSON.stringify([told, this.#written, [...this.#late.keys()].sort(), this.#faults]);
  }

  /** What can happen next, once every actor is held or has ended. */
  async moves(): Promise<Move[]> {
    while (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const moves: Move[] = [];
    for (const { actor, number, reads } of this.#held.values()) {
      const faulty: Action[] = this.#faults === 0 ? [] : reads ? ["lost"] : ["late", "conflict"];
      for (const action of ["through", ...faulty] as Action[]) {
        moves.push({ id: `${actor}#${number} ${action}`, actor, reads, action });
      }
    }
    for (const id of this.#late.keys()) moves.push({ id, actor: id, reads: false, action: "through" });
    return moves.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async make(move: Move): Promise<void> {
    await this.moves();
    const arriving = this.#late.get(move.id);
    if (arriving !== undefined) {
      this.#late.delete(move.id);
      return arriving();
    }
    const held = this.#held.get(move.actor);
    if (held === undefined) throw new Error(`${move.id} is not waiting: the run is not repeatable`);
    this.#held.delete(move.actor);
    if (move.action !== "through") this.#faults -= 1;
    this.#running += 1;
    held.act(move.action);
    await this.moves();
  }

  /** Its actors wait for ever, and are forgotten: one that was answered would try again for as long as it may. */
  abandon(): false {
    this.#abandoned = true;
    this.#held.clear();
    return false;
  }

  async finish(path: readonly Move[]): Promise<true> {
    try {
      await this.#scenario.check(this.#results);
    } catch (error) {
      throw new Error(`after: ${path.map(({ id }) => id).join(" → ")}`, { cause: error });
    }
    return true;
  }
}

function ignore(): void {
  // A late request has no sender any more who would look at its answer.
}

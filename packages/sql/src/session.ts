import pg from "pg";

const answerMs = 5_000;

/**
 * Says on a new connection what holds for all of its statements. By a statement: a pooler refuses the startup parameter `options`, or takes it and
 * forgets it. Throws SessionsShared where the connection is no session of its own, since another's search path would come and go on it.
 */
export async function beginSession(
  client: pg.ClientBase,
  url: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const names = Object.keys(settings);
  const set = names.map((_, index) => `set_config($${2 * index + 1}, $${2 * index + 2}, false)`);
  const values = names.flatMap((name) => [name, settings[name]]);
  const pid = await pidOf(client, `select ${[...set, "pg_backend_pid() as pid"].join(", ")}`, values);
  await refuseShared(client, url, pid);
}

/** Throws SessionsShared where what is connected is a pooler that gives others the same server's connection meanwhile. */
export async function requireOwnSession(client: pg.ClientBase, url: string): Promise<void> {
  await refuseShared(client, url, await pidOf(client));
}

/** A pooler before Postgres lets several clients use one connection by turns. */
export class SessionsShared extends Error {
  override readonly name = "SessionsShared";
  constructor() {
    super("the pooler before Postgres keeps no sessions: let it do so (pool_mode = session), or name Postgres itself");
  }
}

/** Poolers of this process that were found to keep sessions. */
const keepSessions = new Set<string>();
const tries = 3;

async function refuseShared(client: pg.ClientBase, url: string, pid: number | undefined): Promise<void> {
  if (pid === toldPid(client) || keepSessions.has(url)) return;
  if (await isShared(client, url, pid)) throw new SessionsShared();
  keepSessions.add(url);
}

/** Whoever asks next is given the connection that became free last: in a session it does not become free. */
async function isShared(client: pg.ClientBase, url: string, first: number | undefined): Promise<boolean> {
  const other = new pg.Client({
    ...{ connectionString: url, connectionTimeoutMillis: answerMs, query_timeout: answerMs },
    application_name: "slipway-check",
  });
  other.on("error", () => {});
  try {
    await other.connect();
    for (let n = 0; n < tries; n += 1) {
      if ((await pidOf(client)) !== first || (await pidOf(other)) === first) return true;
    }
    return false;
  } finally {
    await other.end().catch(() => {});
  }
}

async function pidOf(
  client: pg.ClientBase,
  text = "select pg_backend_pid() as pid",
  values: readonly unknown[] = [],
): Promise<number | undefined> {
  // A deadline of its own, which the types of the driver leave out.
  const asked = { text, values: [...values], query_timeout: answerMs };
  const { rows } = await client.query<{ pid: number }>(asked);
  return rows[0]?.pid;
}

/** What the other end said of itself as the connection was made: a pooler has a number of its own. The types leave this out, too. */
function toldPid(client: pg.ClientBase): number | undefined {
  const { processID: told } = client as pg.ClientBase & { readonly processID?: number | null };
  return told ?? undefined;
}

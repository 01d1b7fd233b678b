import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";

/**
 * What a process of some version left in its schema when a machine was in a phase: its row, its commands, and what the schema holds beside them.
 * `commands`: the kinds of those that wait, so that a phase is kept once for each thing that may be left to do in it.
 */
export type Scene = {
  readonly kind: string;
  readonly id: string;
  readonly phase: string;
  readonly commands: readonly string[];
  /** Rows by table, as JSON has them. */
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
};

/** Kept of each phase at most. */
const mostOfPhase = 4;
/** What is told of elsewhere, or grows with each row. */
const leftOut = ["audit", "look", "inbox", "idempotency", "recorded", "schema_migration"];

/**
 * Watches a schema's machines in this database: at the end of each transaction that leaves one in a phase with other commands than were seen
 * before, everything is written down as it is committed. For `scripts/record-states.mjs`.
 */
export async function recordStates(adminUrl: string, schema: string): Promise<void> {
  await asAdmin(adminUrl, async (client) => {
    const { rows } = await client.query("select from pg_tables where schemaname = $1 and tablename = 'machine'", [
      schema,
    ]);
    if (rows.length === 0) return;
    await client.query(recorderOf(schema));
  });
}

function recorderOf(schema: string): string {
  const names = leftOut.map((name) => `'${name}'`).join(", ");
  return `
    create table ${schema}.recorded (kind text, phase text, commands text, id text, tables jsonb, seq serial,
      primary key (kind, phase, commands));
    create function ${schema}.record_state() returns trigger language plpgsql security definer set search_path = ${schema} as $$
    declare found_phase text; waiting text; one record; found jsonb; tables jsonb := '{}'; few boolean;
    begin
      select phase into found_phase from machine where kind = new.kind and id = new.id;
      select coalesce(string_agg(distinct payload->>'type', ',' order by payload->>'type'), '') into waiting
        from command where kind = new.kind and id = new.id;
      if exists (select from recorded r where r.kind = new.kind and r.phase = found_phase and r.commands = waiting) then return null; end if;
      few := (select count(*) <= 6 from machine);
      for one in select tablename as name from pg_tables where schemaname = '${schema}' and tablename not in (${names}) loop
        execute format('select coalesce(jsonb_agg(to_jsonb(x)), ''[]'') from %I x where $1 or position($2 in x::text) > 0 or position($3 in x::text) > 0', one.name)
          into found using few, new.id, coalesce(substring(new.state::text from 'sha256:[0-9a-f]{64}'), new.id);
        if found <> '[]' then tables := tables || jsonb_build_object(one.name, found); end if;
      end loop;
      insert into recorded values (new.kind, found_phase, waiting, new.id, tables) on conflict do nothing;
      return null;
    end $$;
    create constraint trigger record_state after insert or update on ${schema}.machine
      deferrable initially deferred for each row execute function ${schema}.record_state();`;
}

/** Adds to `<folder>/<schema>/<kind>.json` what is new of it, and to `<folder>/events.json` one event of each type. */
export async function keepRecorded(adminUrl: string, schema: string, folder: string): Promise<void> {
  await asAdmin(adminUrl, async (client) => {
    if (schema === "bus") return await keepEvents(client, folder);
    const { rows: made } = await client.query(
      "select from pg_tables where schemaname = $1 and tablename = 'recorded'",
      [schema],
    );
    if (made.length === 0) return;
    const { rows } = await client.query<Scene & { commands: string }>(
      `select kind, id, phase, commands, tables from ${schema}.recorded order by seq`,
    );
    await mkdir(join(folder, schema), { recursive: true });
    for (const row of rows) {
      const commands = row.commands === "" ? [] : row.commands.split(",");
      await keepScene(join(folder, schema, `${row.kind}.json`), { ...row, commands, tables: atRest(row.tables) });
    }
  });
}

async function keepScene(file: string, scene: Scene): Promise<void> {
  const known = await listIn<Scene>(file);
  const ofPhase = known.filter(({ phase }) => phase === scene.phase);
  if (ofPhase.length >= mostOfPhase || ofPhase.some(({ commands }) => `${commands}` === `${scene.commands}`)) return;
  await write(file, [...known, scene]);
}

/** Nobody performs anything: whoever did is gone. */
function atRest(tables: Scene["tables"]): Scene["tables"] {
  const { command } = tables;
  if (command === undefined) return tables;
  return { ...tables, command: command.map((row) => ({ ...row, holder: null, leased_until: null })) };
}

async function keepEvents(client: pg.Client, folder: string): Promise<void> {
  const { rows } = await client.query<{ topic: string; body: { type: string } }>(
    `select distinct on (topic, body->>'type') topic, body from bus.event
     where topic like 'slipway.' || split_part(body->>'type', '.', 1) || '.%' order by topic, body->>'type', published_at`,
  );
  const file = join(folder, "events.json");
  await mkdir(folder, { recursive: true });
  const known = await listIn<(typeof rows)[number]>(file);
  const isNew = ({ topic, body }: (typeof rows)[number]) =>
    !known.some((event) => event.topic === topic && event.body.type === body.type);
  const added = rows.filter(isNew).map(({ topic, body }) => ({ topic, body }));
  if (added.length > 0) await write(file, [...known, ...added]);
}

async function listIn<T>(file: string): Promise<readonly T[]> {
  return JSON.parse(await readFile(file, "utf8").catch(() => "[]")) as T[];
}

/** One entry a line: a change is seen where it is. */
async function write(file: string, entries: readonly unknown[]): Promise<void> {
  await writeFile(file, `[\n${entries.map((entry) => JSON.stringify(entry)).join(",\n")}\n]\n`);
}

async function asAdmin(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 30_000 });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** Puts a scene into a database that is migrated to now. Columns that it does not have are filled as migrations fill them. */
export async function putScene(adminUrl: string, schema: string, { tables }: Scene): Promise<void> {
  await asAdmin(adminUrl, async (client) => {
    await client.query("begin");
    await client.query(`set local search_path = ${schema}; set local session_replication_role = replica`);
    for (const [table, stored] of Object.entries(tables)) {
      const rows = table === "command" ? unnumbered(stored) : stored;
      const columns = Object.keys(rows[0] ?? {}).map((name) => `"${name}"`);
      await client.query(
        `insert into ${table} (${columns}) overriding system value
         select ${columns} from jsonb_populate_recordset(null::${table}, $1::jsonb) on conflict do nothing`,
        [JSON.stringify(rows)],
      );
    }
    const { rows: sequences } = await client.query<{ name: string; column: string; table: string }>(
      `select pg_get_serial_sequence(format('%I.%I', table_schema, table_name), column_name) as name, column_name as column, table_name as "table"
       from information_schema.columns where table_schema = $1 and pg_get_serial_sequence(format('%I.%I', table_schema, table_name), column_name) is not null`,
      [schema],
    );
    for (const { name, column, table } of sequences)
      await client.query(`select setval('${name}', (select coalesce(max("${column}"), 0) + 1000 from ${table}))`);
    await client.query("commit");
  });
}

/** In their order, with numbers that are free in this database. */
function unnumbered(commands: Scene["tables"][string]): Scene["tables"][string] {
  const ordered = commands.toSorted((one, other) => Number(one.seq) - Number(other.seq));
  return ordered.map(({ seq: _, ...rest }) => rest);
}

const instants = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)/g;

/** As if it had been written just now: evidence is not too old, and what has a deadline has its time. */
function asOfNow<S extends Scene>(scene: S): S {
  const written = scene.tables.machine?.map((row) => Date.parse(String(row.updated_at))) ?? [];
  const laterMs = Date.now() - Math.max(...written);
  const later = (at: string) => new Date(Date.parse(at) + laterMs).toISOString();
  return JSON.parse(JSON.stringify(scene).replaceAll(instants, later)) as S;
}

/** What the versions released so far left of one kind of machine: `<folder>/<version>/<kind>.json`, oldest version first. Times are moved to now. */
export async function scenesOf(
  folder: string,
  kind: string,
): Promise<readonly (Scene & { readonly version: string })[]> {
  const versions = (await readdir(folder))
    .filter((name) => name !== "README.md")
    .toSorted((one, other) => one.localeCompare(other, "en", { numeric: true }));
  const all = versions.map(async (version) =>
    (await listIn<Scene>(join(folder, version, `${kind}.json`))).map((scene) => asOfNow({ ...scene, version })),
  );
  return (await Promise.all(all)).flat();
}

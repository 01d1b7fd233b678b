import pg from "pg";

/** Every row of every table of a database as text; bytea both as hex and as far as it is readable. For what must be nowhere in it. */
export async function databaseText(adminUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    const parts: string[] = [];
    for (const { name } of tables.rows) {
      const { rows } = await client.query<Record<string, unknown>>(`select * from ${name}`);
      for (const row of rows) parts.push(name, ...Object.values(row).map(readable));
    }
    return parts.join("\n");
  } finally {
    await client.end();
  }
}

function readable(value: unknown): string {
  if (Buffer.isBuffer(value)) return `${value.toString("hex")}\n${value.toString("latin1")}`;
  return typeof value === "string" ? value : JSON.stringify(value);
}

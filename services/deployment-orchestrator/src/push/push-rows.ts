import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import type { Push } from "../domain/push.ts";
import type { Tables } from "../store.ts";

/** The newest push of the same service to the same environment that came after this one; builds are numbered in the order of their pushes. */
export async function newerPush(db: Db<Tables>, id: string, push: Push): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`
    select id from machine
    where kind = 'push' and state->>'service' = ${push.service} and state->>'environment' = ${push.environment}
      and substr(id, 3)::bigint > ${Number(id.slice(2))}
    order by substr(id, 3)::bigint desc limit 1`.execute(db);
  return rows[0]?.id;
}

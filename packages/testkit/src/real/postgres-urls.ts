import type { EmbeddedPostgres } from "@slipway/sql";

/** Where a database server is, for each of its databases and roles. */
export type PostgresUrls = Pick<EmbeddedPostgres, "adminUrl" | "roleUrl">;

/** What a URL of the socket is at the container's port. */
export function atPort(socketUrl: string, port: number): string {
  const { username, password, pathname } = new URL(socketUrl);
  return `postgres://${username}:${password}@127.0.0.1:${port}${pathname}`;
}

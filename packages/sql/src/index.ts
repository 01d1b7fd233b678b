export { type EmbeddedOptions, type EmbeddedPostgres, embeddedPostgresAt, startEmbeddedPostgres } from "./embedded.ts";
export { jsonText, storableText } from "./json-text.ts";
export { type ListenOptions, listen } from "./listen.ts";
export { type Logger, silentLogger } from "./logger.ts";
export { type MigrateOptions, migrate } from "./migrate.ts";
export { type Db, dbNow, type OpenDbOptions, openDb, type Tx } from "./open-db.ts";
export { answers } from "./postgres-server.ts";
export { rolePassword } from "./role-password.ts";
export { serviceRole } from "./roles.ts";

import { onPostgres, realPart } from "@slipway/testkit";

onPostgres(realPart("postgres-15"), [() => import("./postgres.test.ts"), () => import("./retention.test.ts")]);

import { onPostgres, realPart } from "@slipway/testkit";

onPostgres(realPart("postgres-15"), [() => import("./service.test.ts")]);

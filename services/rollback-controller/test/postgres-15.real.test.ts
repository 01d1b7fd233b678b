import { onPostgres, realPart } from "@slipway/testkit";

onPostgres(realPart("postgres-15"), [() => import("./keeping.test.ts"), () => import("./released.test.ts")]);

import { onPostgres, realPart } from "@slipway/testkit";

onPostgres(realPart("postgres-15"), [
  () => import("./perform.test.ts"),
  () => import("./lanes.test.ts"),
  () => import("./audit.test.ts"),
]);

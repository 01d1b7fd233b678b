import { onPostgres, realPart } from "@slipway/testkit";

onPostgres(realPart("postgres-15"), [
  () => import("./promotions.test.ts"),
  () => import("./imports.test.ts"),
  () => import("./released.test.ts"),
]);

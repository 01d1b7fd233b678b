import { onPostgres, realPart } from "@slipway/testkit";

onPostgres(realPart("postgres-15"), [
  () => import("./webhook.test.ts"),
  () => import("./forget-logs.test.ts"),
  () => import("./move-logs.test.ts"),
  () => import("./released.test.ts"),
]);

import { onPostgres, realPart } from "@slipway/testkit";

onPostgres(realPart("postgres-15"), [
  () => import("./service.test.ts"),
  () => import("./settling.test.ts"),
  () => import("./forgetting.test.ts"),
  () => import("./released-events.test.ts"),
]);

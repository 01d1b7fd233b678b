import { onPostgres, realPart } from "@slipway/testkit";

onPostgres(realPart("postgres-15"), [
  () => import("./services.test.ts"),
  () => import("./ends.test.ts"),
  () => import("./restore.test.ts"),
  () => import("./released.test.ts"),
]);

import { artifactRegistry } from "@slipway/artifact-registry";
import { buildService } from "@slipway/build-service";
import { platformServices, schemaOf } from "@slipway/client";
import { deploymentOrchestrator } from "@slipway/deployment-orchestrator";
import { metricsAggregator } from "@slipway/metrics-aggregator";
import { notificationService } from "@slipway/notification-service";
import { rollbackController } from "@slipway/rollback-controller";
import { expect, test } from "vitest";

/** By which the doctor asks the database about services that it does not load. */
test("each service has the schema that the doctor looks for", () => {
  const ofPlatform = [artifactRegistry, buildService, deploymentOrchestrator, notificationService, metricsAggregator];

  const own = [...ofPlatform, rollbackController].map(({ name, schema }) => [name, schema]);

  expect(Object.fromEntries(own)).toEqual(schemaOf);
  expect(Object.keys(schemaOf).sort()).toEqual([...platformServices].sort());
});

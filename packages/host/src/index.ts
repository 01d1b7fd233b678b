export type { Addresses } from "./addresses.ts";
export type { AuthorizeOptions, Call, EventStream, EventStreamOptions, Principal, ServiceApp } from "./app.ts";
export { type BackendCheck, checkBackends } from "./check-backends.ts";
export { type HostConfig, hostVariables, readConfig } from "./config.ts";
export { ConfigError, type ConfigProblem } from "./config-error.ts";
export type { HostDatabase } from "./database.ts";
export { type Figure, type FigureValue, shared, type Tally, tally } from "./figures.ts";
export type { Readiness } from "./health.ts";
export { type Misspelt, misspelt, misspeltRemedy, misspeltWarnings } from "./known-variables.ts";
export type {
  AnyServiceModule,
  EnvironmentEntry,
  RunningService,
  ServiceContext,
  ServiceModule,
  Subscription,
} from "./module.ts";
export { asProblem } from "./problems.ts";
export { type RegionEntry, regionsAsked } from "./regions.ts";
export { type RunHostOptions, type RunningHost, runHost } from "./run-host.ts";
export { runService } from "./run-service.ts";
export { urlVariable } from "./url-variable.ts";
export { userCache } from "./user-cache.ts";

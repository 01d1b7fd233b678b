export type { AuthorizeOptions, Call, EventStream, EventStreamOptions, Principal, ServiceApp } from "./app.ts";
export type { HostConfig } from "./config.ts";
export type { EnvironmentEntry, RunningService, ServiceContext, ServiceModule, Subscription } from "./module.ts";
export type { RegionEntry } from "./regions.ts";
export { type RunHostOptions, type RunningHost, runHost } from "./run-host.ts";

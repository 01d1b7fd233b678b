export type { CallInput, CallOptions, Client, ServerSentEvent, StreamOptions } from "./client.ts";
export { type ClientOptions, createClient } from "./create-client.ts";
export { lineWriter } from "./line-writer.ts";
export { callees, ownerOf, type PlatformService, pathOfOwner, platformServices, schemaOf } from "./owners.ts";

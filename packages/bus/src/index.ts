export { inboxOnce } from "./inbox.ts";
export type { Bus, Handler, ReadPage, ReadPosition, SubscribeOptions, Subscription } from "./port.ts";
export { type PostgresBusOptions, postgresBus } from "./postgres.ts";

export type { Bus, Handler, ReadPage, ReadPosition, SubscribeOptions, Subscription } from "./port.ts";

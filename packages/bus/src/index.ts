export { NotAcceptable } from "./acceptable.ts";
export { inboxHas, inboxOnce, inboxOnceEach } from "./inbox.ts";
export { kafkaUrlProblem } from "./kafka/address.ts";
export { kafkaTrial } from "./kafka/trial.ts";
export { BusUnavailable } from "./kafka/trouble.ts";
export { type KafkaBusOptions, kafkaBus } from "./kafka.ts";
export type {
  BatchHandler,
  Bus,
  Handler,
  HandlerContext,
  ReadPage,
  ReadPosition,
  SubscribeOptions,
  Subscription,
} from "./port.ts";
export { type PostgresBusOptions, postgresBus } from "./postgres.ts";

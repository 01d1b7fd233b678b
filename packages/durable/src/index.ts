export { type AuditEntry, type AuditVerdict, appendAudit, verifyAudit } from "./audit.ts";
export { defineMachine } from "./define-machine.ts";
export { createDurable } from "./durable.ts";
export { WrittenByNewer } from "./format.ts";
export type {
  AnyMachine,
  CommandContext,
  Durable,
  DurableMachine,
  DurableOptions,
  ListOptions,
  MachineRef,
  Outcome,
  PendingCommand,
  Row,
  SendResult,
} from "./types.ts";

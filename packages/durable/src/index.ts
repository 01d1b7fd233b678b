export { type AuditEntry, appendAudit } from "./audit.ts";
export { defineMachine } from "./define-machine.ts";
export { createDurable } from "./durable.ts";
export { WrittenByNewer } from "./format.ts";
export { type AuditPage, type AuditQuery, type AuditRow, readAudit } from "./read-audit.ts";
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
export { type AuditHead, type AuditVerdict, verifyAudit } from "./verify-audit.ts";

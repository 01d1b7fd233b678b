import type { ImportView } from "@slipway/contracts";
import type { z } from "zod";
import type { ImageImport } from "../domain/image-import.ts";
import { readImport, type Service } from "../service.ts";
import type { ImportRow } from "../store/imports.ts";

const statuses = { copying: "COPYING", registered: "REGISTERED", failed: "FAILED" } as const;

/** An import as people see it: while it copies, what it waits for, and until when. */
export async function importView(service: Service, row: ImportRow): Promise<z.input<typeof ImportView>> {
  const state = await readImport(service, row.id);
  const [pending] = state.phase === "copying" ? await service.durable.pending(service.importing.machine, row.id) : [];
  const { request } = state;
  return {
    import_id: row.id,
    service: request.service,
    image: request.image,
    status: statuses[state.phase],
    digest: state.phase === "registered" ? state.digest : null,
    git_sha: state.phase === "registered" ? state.gitSha : request.gitSha,
    bytes_total: row.bytesTotal,
    bytes_copied: row.bytesCopied,
    waiting: waitingOf(state, pending?.lastReason ?? null, row.waits),
    reason: state.phase === "failed" ? state.reason : null,
    requested_by: request.requestedBy,
    requested_at: request.requestedAt,
    deadline_at: request.deadlineAt,
    ended_at: state.phase === "copying" ? null : state.endedAt,
  };
}

function waitingOf(state: ImageImport, lastReason: string | null, forPlace: boolean) {
  if (state.phase !== "copying") return null;
  if (forPlace)
    return {
      for: `a place among the images that are copied${lastReason === null ? "" : `: ${lastReason}`}`,
      since: state.request.requestedAt,
      unblockedBy: `the end of another import by ${state.request.deadlineAt}; else this one fails`,
    };
  const host = state.request.image.split("/")[0] ?? "";
  return {
    for: lastReason === null ? `the bytes from ${host}` : `${host} (${lastReason})`,
    since: state.request.requestedAt,
    unblockedBy: `the registry gives all of it by ${state.request.deadlineAt}; else the import fails`,
  };
}

import type { artifactTopic, buildTopic, EventOf } from "@slipway/contracts";
import { duration, type Notice } from "./notice.ts";

/** The notice of a build's event; undefined for what nobody needs to be told. */
export function aboutBuild(event: EventOf<typeof buildTopic>): Notice | undefined {
  if (event.type !== "build.failed") return undefined;
  const { build_id, service, git_sha, reason, step, ms } = event.data;
  return {
    severity: "problem",
    about: build_id,
    title: `Build failed: ${service} at ${git_sha.slice(0, 7)} (${build_id})`,
    text: reasonText(step, reason),
    facts: [
      { name: "Commit", value: git_sha.slice(0, 12) },
      { name: "After", value: duration(ms) },
      { name: "Log", value: `slipway logs ${build_id}` },
    ],
  };
}

/** A build's reason names the step that failed, too: it is said once. */
function reasonText(step: string | null, reason: string): string {
  if (step === null) return reason;
  const said = `step ${step}: `;
  return `Step ${step}: ${reason.startsWith(said) ? reason.slice(said.length) : reason}`;
}

/** The notice of an artifact's event. `page`: where people see all of it. */
export function aboutArtifact(event: EventOf<typeof artifactTopic>, page: string): Notice | undefined {
  switch (event.type) {
    case "artifact.promotion_requested": {
      const { promotion_id, service, from, to, requested_by, approvals_needed, git_sha, digest } = event.data;
      if (approvals_needed === 0) return undefined;
      return {
        severity: "attention",
        about: promotion_id,
        title: `Approval needed: ${service} from ${from} to ${to} (${promotion_id})`,
        text: `${requested_by} asks to promote ${git_sha.slice(0, 7)}. It is shown at ${page}. It takes ${approvals_needed === 1 ? "one approval" : `${approvals_needed} approvals`} by somebody else: slipway promotions approve ${promotion_id} --as approver`,
        facts: [{ name: "Digest", value: digest }],
        waits: "approval",
      };
    }
    case "artifact.rejected": {
      const { promotion_id, service, to, requested_by, reason, git_sha } = event.data;
      return {
        severity: "attention",
        about: promotion_id,
        title: `Promotion rejected: ${service} to ${to} (${promotion_id})`,
        text: `${git_sha.slice(0, 7)}, asked for by ${requested_by}: ${reason}`,
        facts: [],
      };
    }
    default:
      return undefined;
  }
}

import type { PageSession, ShipChange } from "@slipway/contracts";

/** What the platform said instead of doing what was asked. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, sentence: string) {
    super(sentence);
    this.name = "Refused";
    this.status = status;
  }
}

/** The session of this browser; undefined without one. Rejects while the platform is away. */
export async function currentSession(): Promise<PageSession | undefined> {
  const answer = await fetch("/page/session");
  if (answer.status === 401 || answer.status === 403) return undefined;
  if (!answer.ok) throw await refused(answer);
  return (await answer.json()) as PageSession;
}

export async function signIn(by: { readonly code: string } | { readonly token: string }): Promise<PageSession> {
  const headers = {
    "content-type": "application/json",
    ...("token" in by ? { authorization: `Bearer ${by.token}` } : {}),
  };
  const body = JSON.stringify("code" in by ? { code: by.code } : {});
  const answer = await fetch("/page/session", { method: "POST", headers, body });
  if (!answer.ok) throw await refused(answer);
  return (await answer.json()) as PageSession;
}

export function ship(change: ShipChange): Promise<void> {
  return post("/page/ship", { change });
}

export function rollBack(deploymentId: string): Promise<void> {
  return post("/page/rollback", { deployment_id: deploymentId });
}

async function post(path: string, body: unknown): Promise<void> {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw await refused(answer);
}

async function refused(answer: Response): Promise<Refused> {
  const problem: { detail?: string; remedy?: string } = await answer.json().catch(() => ({}));
  const sentence = [problem.detail ?? `The platform answered ${answer.status}.`, problem.remedy]
    .filter(Boolean)
    .join(" ");
  return new Refused(answer.status, sentence);
}

/** Takes the one-time code out of the address, so that it stays in no history and no bookmark. */
export function takeCode(): string | undefined {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code === null) return undefined;
  history.replaceState(null, "", location.pathname);
  return code;
}

import type { PageSession } from "@slipway/contracts";
import { useCallback, useEffect, useState } from "react";
import { currentSession, signIn, takeCode } from "./platform.ts";

export type SessionState =
  | { readonly kind: "looking" }
  | { readonly kind: "away" }
  | { readonly kind: "none"; readonly why: string | undefined }
  | { readonly kind: "signed_in"; readonly may: PageSession["may"] };

const tryAgainMs = 2_000;
/** Taken when the page is loaded, once: a code is good for one sign-in. */
const code = takeCode();
let firstSession: Promise<SessionState> | undefined;

async function find(): Promise<SessionState> {
  const known = await currentSession();
  if (known !== undefined) return { kind: "signed_in", may: known.may };
  if (code === undefined) return { kind: "none", why: undefined };
  try {
    return { kind: "signed_in", may: (await signIn({ code })).may };
  } catch (error) {
    return { kind: "none", why: error instanceof Error ? error.message : String(error) };
  }
}

/** Who this browser is to the platform. `again()` asks anew, after the platform has refused. */
export function useSession(): { state: SessionState; again: () => void; signedIn: (session: PageSession) => void } {
  const [state, setState] = useState<SessionState>({ kind: "looking" });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let gone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    // React runs this twice in development; the code must not be spent twice.
    firstSession = turn === 0 && firstSession !== undefined ? firstSession : find();
    firstSession.then(
      (found) => !gone && setState(found),
      () => {
        if (gone) return;
        setState({ kind: "away" });
        timer = setTimeout(() => setTurn((now) => now + 1), tryAgainMs);
      },
    );
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [turn]);
  const again = useCallback(() => setTurn((now) => now + 1), []);
  return {
    state,
    again,
    signedIn: ({ may }) => setState({ kind: "signed_in", may }),
  };
}

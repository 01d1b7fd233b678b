import { Board } from "./board.tsx";
import { SignIn } from "./sign-in.tsx";
import { useSession } from "./use-session.ts";

export function App() {
  const { state, again, signedIn } = useSession();
  switch (state.kind) {
    case "looking":
      return <main className="alone" aria-busy="true" />;
    case "away":
      return (
        <main className="alone">
          <h1>Slipway</h1>
          <p role="status">The platform does not answer. This page tries again every two seconds.</p>
        </main>
      );
    case "none":
      return <SignIn why={state.why} onSignedIn={signedIn} />;
    default:
      return <Board may={state.may} onRefused={again} />;
  }
}

import type { PageSession } from "@slipway/contracts";
import { type FormEvent, useState } from "react";
import { signIn } from "./platform.ts";

type Props = { readonly why: string | undefined; readonly onSignedIn: (session: PageSession) => void };

/** Asks for a token where the address carried no code. */
export function SignIn({ why, onSignedIn }: Props) {
  const [said, setSaid] = useState(why);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get("token") ?? "").trim();
    signIn({ token }).then(onSignedIn, (error: Error) => setSaid(error.message));
  };
  return (
    <main className="alone">
      <h1>Slipway</h1>
      <p>
        Open the address that <code>npm start</code> prints, or sign in with a token: the data folder holds them in{" "}
        <code>.slipway/tokens/</code>. A deployer's token may ship; a viewer's may look.
      </p>
      <form onSubmit={submit}>
        <label htmlFor="token">Token</label>
        <input id="token" name="token" type="password" autoComplete="off" required aria-describedby="said" />
        <button type="submit" className="main">
          Sign in
        </button>
      </form>
      <p id="said" role="alert" className="refusal">
        {said}
      </p>
    </main>
  );
}

import { awake, errorCodes } from "@slipway/kernel";
import { authOf, type Credentials } from "./auth.ts";
import { OciError } from "./errors.ts";
import { deadlineIn, Transport } from "./transport.ts";

const withinMs = 3_000;

/**
 * What keeps a registry from being asked, as a sentence that says what to do; undefined: nothing. `host`: as images name it; `namedIn`: where a person says
 * how it is reached. Without credentials it is only asked whether it answers: what it lets anybody read, it says of each repository. Never rejects.
 */
export async function registryProblem(
  host: string,
  { url, auth }: { readonly url: string; readonly auth?: Credentials },
  namedIn: string,
): Promise<string | undefined> {
  const registry = new URL(url);
  const at = registry.host === host ? `the registry ${host}` : `${registry.host}, which stands for ${host},`;
  try {
    // What is issued may not be had, which is no word of the registry's: the issuer's says what to do.
    await awake(withinMs, (signal) => authOf(auth, signal));
  } catch (error) {
    return `there is no password for ${at}: ${error instanceof Error ? error.message : String(error)}`;
  }
  const transport = new Transport({ registry, auth, random: Math.random });
  try {
    const answer = await transport.send({
      ...{ method: "GET", url: new URL("/v2/", registry), scope: "", expect: auth === undefined ? [200, 401] : [200] },
      ...{ deadline: deadlineIn(withinMs, undefined), repeatable: false },
    });
    await answer.body.dump();
    return undefined;
  } catch (error) {
    if (error instanceof OciError && (error.kind === "unauthorised" || error.kind === "forbidden"))
      return auth === undefined ? undefined : `${at} refuses user and password: correct them in ${namedIn}`;
    return `${sentence(at, registry.host, error)} in ${namedIn}`;
  } finally {
    await transport.close();
  }
}

function sentence(at: string, host: string, error: unknown): string {
  if (error instanceof OciError && error.kind === "untrusted") return `${error.message}, or correct its URL`;
  if (error instanceof OciError && error.kind !== "unavailable")
    return `what answers at ${host} is no image registry (status ${error.status ?? "unknown"}): correct its URL`;
  const codes = errorCodes(error);
  if (/ENOTFOUND|EAI_AGAIN/.test(codes)) return `the host of ${at} is not known: correct it`;
  if (/ECONNREFUSED/.test(codes)) return `nothing listens at ${host}: start the registry, or correct its URL`;
  if (/EPROTO|ERR_SSL/.test(codes)) return `${at} does not speak TLS: start it with a certificate, or correct its URL`;
  return `${at} does not answer as a registry: start it, or correct its URL`;
}

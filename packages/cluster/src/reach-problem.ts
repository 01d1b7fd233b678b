import { certificateTrouble, errorCodes, unreadableRemedy } from "@slipway/kernel";
import { z } from "zod";
import { ApiStatus, isStatus, KubeconfigBroken, RegionUnavailable } from "./errors.ts";

/** Where somebody corrects how a cluster's API is reached, and what gives an account its rights there. */
export type Reached = {
  /** Undefined: the account of the pod that this process runs in. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Where the two are named. */
  readonly namedIn: string;
  /** The command that makes a valid token. */
  readonly renew: string;
  /** The command that gives the rights, and whom they are for. */
  readonly install: string;
};

/** Why nothing at all can be asked of a cluster's API, as a sentence that ends with what to do. */
export function reachProblem(error: unknown, reached: Reached): string {
  const { namedIn, context = "in use" } = reached;
  if (error instanceof KubeconfigBroken) return `${error.what}: ${error.remedy}`;
  const codes = errorCodes(error);
  if (reached.kubeconfig === undefined && /ERR_INVALID_URL|ENOENT/.test(codes))
    return `this process runs in no pod of a cluster: name a kubeconfig in ${namedIn}`;
  const kubeconfig = reached.kubeconfig ?? "the account of this pod";
  if (isStatus(error, 404) || error instanceof z.ZodError)
    return `what answers there is no Kubernetes API: correct \`server\` in ${kubeconfig}`;
  if (error instanceof ApiStatus) return refusal(error, kubeconfig, reached);
  const untrusted = certificateTrouble(error, {
    certificate: "its certificate",
    rename: `name it in \`server\` of ${kubeconfig} as its certificate does, or say \`tls-server-name\` there`,
    trust: `correct \`certificate-authority-data\` in ${kubeconfig}`,
  });
  if (untrusted !== undefined) return untrusted;
  const known = remedies.find(([pattern]) => pattern.test(codes))?.[1](kubeconfig, codes.trim());
  if (known !== undefined) return known;
  const words = error instanceof Error ? error.message.replace(/^region [^:]*: /, "") : String(error);
  // A file that is none was found where it was named.
  if (/cannot be read \(it is none/.test(words)) return `${words}: correct that file`;
  if (/cannot be read/.test(words)) return `${words}: ${unreadableRemedy(error, namedIn)}`;
  if (/no context/.test(words)) return `${words}: correct ${namedIn}`;
  if (error instanceof RegionUnavailable) return `${words}: see that ${kubeconfig} (context ${context}) reaches it`;
  return `${kubeconfig} cannot be used (${words.slice(0, 200)}): correct it`;
}

function refusal({ status, reason }: ApiStatus, kubeconfig: string, { renew, install }: Reached): string {
  if (status === 401) return `its API refuses the credentials: put a valid token into ${kubeconfig} (${renew})`;
  if (status === 403) return `its API lets this account ask nothing: ${install}`;
  return `its API answers ${status} ${reason}: see the server's own log`;
}

/** By the code of the socket or of TLS. */
const remedies: readonly (readonly [RegExp, (kubeconfig: string, code: string) => string])[] = [
  [/ECONNREFUSED/, (kubeconfig) => `nothing listens where ${kubeconfig} says: correct \`server\` there`],
  [/ENOTFOUND|EAI_AGAIN/, (kubeconfig) => `the host of \`server\` in ${kubeconfig} is not known: correct it there`],
  [/ERR_OSSL_/, (kubeconfig, code) => `a certificate or key of ${kubeconfig} is none (${code}): correct it there`],
  [
    /WRONG_VERSION_NUMBER|EPROTO|HPE_/,
    (kubeconfig) =>
      `what answers there does not speak TLS as a Kubernetes API does: correct \`server\` in ${kubeconfig}`,
  ],
];

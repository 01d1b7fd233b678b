import { certificateTrouble } from "@slipway/kernel";
import type { EcrPlace } from "./ecr-place.ts";
import { OciError, type OciErrorKind } from "./errors.ts";

/** What is asked of ECR: who may not is told which right is missing. */
type Asked = { readonly what: string; readonly right: string };

type Remedy = readonly [pattern: RegExp, kind: OciErrorKind, sentence: (where: string, asked: Asked) => string];

/** By the name or code of what the AWS client threw. */
const remedies: readonly Remedy[] = [
  [
    /^CredentialsProviderError$/,
    "unauthorised",
    () =>
      "this service has no AWS credentials for ECR: give it a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
  ],
  [
    /^(UnrecognizedClientException|InvalidClientTokenId|InvalidSignatureException|SignatureDoesNotMatch|ExpiredToken(Exception)?|IncompleteSignature)$/,
    "unauthorised",
    (where) => `${where} refuses this service's AWS credentials: correct them, or the clock of this machine`,
  ],
  [
    /^AccessDenied(Exception)?$/,
    "forbidden",
    (where, { what, right }) => `this service's AWS account may not ask ${where} for ${what}: allow ${right}`,
  ],
  [
    /^(ENOTFOUND|EAI_AGAIN)$/,
    "unavailable",
    (where) => `the host of ${where} is not known: correct the region or the endpoint`,
  ],
  [
    /^(InvalidParameter|LimitExceeded|Kms)(Exception)?$/,
    "refused",
    (where, { what }) => `${where} does not make ${what}: make it by hand, or correct its name`,
  ],
];

const password: Asked = { what: "a password", right: "ecr:GetAuthorizationToken" };

/** What the AWS client threw when it was asked for a password, as one sentence. The original is left out: it carries the signed request. */
export function ecrRefusal(error: unknown, place: EcrPlace): OciError {
  return refusalOf(error, place, password);
}

/** The same, of a repository that was to be made. */
export function ecrRepositoryRefusal(error: unknown, place: EcrPlace, name: string): OciError {
  return refusalOf(error, place, { what: `the repository ${name}`, right: "ecr:CreateRepository" });
}

function refusalOf(error: unknown, { region, endpoint }: EcrPlace, asked: Asked): OciError {
  const where = endpoint === undefined ? `ECR of ${region}` : `ECR at ${endpoint}`;
  const names = namesOf(error);
  for (const [pattern, kind, sentence] of remedies) {
    if (names.some((name) => pattern.test(name))) return new OciError(kind, sentence(where, asked));
  }
  const untrusted = certificateTrouble(error, {
    certificate: `the certificate of ${where}`,
    rename: "name the endpoint as its certificate does, or give it one for that name",
  });
  if (untrusted !== undefined) return new OciError("untrusted", untrusted);
  const why = names.join(", ") || "no reason given";
  const gave = asked === password ? "gave no password" : `did not make ${asked.what}`;
  return new OciError("unavailable", `${where} ${gave} (${why})`);
}

function namesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [];
  const code = "code" in error && typeof error.code === "string" ? [error.code] : [];
  const inner = error instanceof AggregateError ? error.errors.flatMap(namesOf) : namesOf(error.cause);
  return [...new Set([error.name, ...code, ...inner])];
}

import { certificateTrouble } from "./certificate-trouble.ts";
import type { EcrPlace } from "./ecr-place.ts";
import { OciError, type OciErrorKind } from "./errors.ts";

type Remedy = readonly [pattern: RegExp, kind: OciErrorKind, sentence: (where: string) => string];

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
    (where) => `this service's AWS account may not ask ${where} for a password: allow ecr:GetAuthorizationToken`,
  ],
  [
    /^(ENOTFOUND|EAI_AGAIN)$/,
    "unavailable",
    (where) => `the host of ${where} is not known: correct the region or the endpoint`,
  ],
];

/** What the AWS client threw, as one sentence. The original is left out: it carries the signed request. */
export function ecrRefusal(error: unknown, { region, endpoint }: EcrPlace): OciError {
  const where = endpoint === undefined ? `ECR of ${region}` : `ECR at ${endpoint}`;
  const names = namesOf(error);
  for (const [pattern, kind, sentence] of remedies) {
    if (names.some((name) => pattern.test(name))) return new OciError(kind, sentence(where));
  }
  const untrusted = certificateTrouble(where, error);
  if (untrusted !== undefined) return new OciError("untrusted", untrusted);
  return new OciError("unavailable", `${where} gave no password (${names.join(", ") || "no reason given"})`);
}

function namesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [];
  const code = "code" in error && typeof error.code === "string" ? [error.code] : [];
  const inner = error instanceof AggregateError ? error.errors.flatMap(namesOf) : namesOf(error.cause);
  return [...new Set([error.name, ...code, ...inner])];
}

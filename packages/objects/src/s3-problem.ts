import { certificateTrouble } from "@slipway/kernel";
import type { S3Place } from "./s3-place.ts";

/** The store is away or refuses us. Its message is a sentence that says what to do. */
export class ObjectsUnavailable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "ObjectsUnavailable";
  }
}

const variable = "SLIPWAY_OBJECTS_URL";
const credentials = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the file that AWS_SHARED_CREDENTIALS_FILE names";
const rights = "s3:GetObject, PutObject, DeleteObject, ListBucket, ListBucketMultipartUploads and AbortMultipartUpload";

/** `words`: of what was thrown. */
type Remedy = (place: S3Place, where: string, words: string) => string;

/** AWS has one name for all that it does not allow, and its words alone say which right is missing, and of whom it was asked. */
const denied: Remedy = ({ bucket }, where, words) => {
  if (/\bsts:Assume/.test(words))
    return "AWS does not give this process the role that AWS_ROLE_ARN names: let the role's trust policy name its service account";
  if (/\bkms:/.test(words))
    return `these credentials may not use the key by which the bucket ${bucket} at ${where} is encrypted: allow kms:GenerateDataKey and kms:Decrypt with it`;
  return `these credentials may not use the bucket ${bucket} at ${where}: allow ${rights} on it`;
};

const refusedCredentials: Remedy = (_, where) => `${where} refuses the credentials: correct ${credentials}`;

/** By the name or code of what the client threw, most telling first. */
const remedies: readonly (readonly [RegExp, Remedy])[] = [
  [
    /^NoSuchBucket$/,
    ({ bucket }, where) => `there is no bucket ${bucket} at ${where}: make it, or name another in ${variable}`,
  ],
  [
    /^(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken|InvalidClientTokenId|XAdminUserNotFound)$/,
    refusedCredentials,
  ],
  [/^CredentialsProviderError$/, () => `there are no credentials for S3: set ${credentials}`],
  [/^(AccessDenied|Forbidden|AllAccessDisabled)$/, denied],
  [
    /^(PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException)$/,
    ({ bucket, region }) =>
      `the bucket ${bucket} is not in the region ${region ?? "of AWS_REGION"}: say region= in ${variable}`,
  ],
  [
    /^RequestTimeTooSkewed$/,
    (_, where) => `the clock of this machine and that of ${where} differ too much: set this one`,
  ],
  [/^ECONNREFUSED$/, (_, where) => `nothing listens at ${where}: start the store, or correct endpoint= in ${variable}`],
  [/^(ENOTFOUND|EAI_AGAIN)$/, (_, where) => `the host of ${where} is not known: correct endpoint= in ${variable}`],
  [
    /^(EPROTO|ERR_TLS_.*|ERR_SSL_.*)$/,
    (_, where) =>
      `no TLS connection with ${where} can be made: correct endpoint= in ${variable}, whose https:// needs a server that speaks it`,
  ],
  [/^(ECONNRESET|EPIPE)$/, (_, where) => `${where} broke the connection off`],
  [/^(TimeoutError|ETIMEDOUT|RequestTimeout|AbortError)$/, (_, where) => `${where} does not answer in time`],
  [
    /^(InternalError|ServiceUnavailable|SlowDown|InternalFailure)$/,
    (_, where) => `${where} cannot work now (its own words: try again later)`,
  ],
];

/** What the client threw, as one sentence. The original is left out: it carries the signed request. */
export function unavailable(error: unknown, place: S3Place, what: string): ObjectsUnavailable {
  const where = place.endpoint ?? "AWS S3";
  const names = namesOf(error);
  const remedy = remedies.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1];
  const status = statusOf(error);
  // Stores have names of their own for whom they do not know.
  const refused = status === 401 || status === 403 ? refusedCredentials : undefined;
  const untrusted = certificateTrouble(error, {
    certificate: `the certificate of ${where}`,
    rename: `name the store in endpoint= of ${variable} as its certificate does`,
    trust: `give its authority to this process (NODE_EXTRA_CA_CERTS), or correct endpoint= in ${variable}`,
  });
  const words = error instanceof Error ? `${error.name}: ${error.message}` : "no reason given";
  const sentence =
    untrusted ??
    (remedy ?? refused)?.(place, where, words) ??
    (isForeign(error)
      ? `what answers at ${where} does not speak S3${status === undefined ? "" : ` (status ${status})`}: correct endpoint= in ${variable}`
      : `${where} refused (${words.slice(0, 200)})`);
  return new ObjectsUnavailable(`${what}: ${sentence}`, new Error(words.slice(0, 500)));
}

function namesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [];
  const code = "code" in error && typeof error.code === "string" ? [error.code] : [];
  const inner = error instanceof AggregateError ? error.errors.flatMap(namesOf) : namesOf(error.cause);
  return [error.name, ...code, ...inner];
}

export function statusOf(error: unknown): number | undefined {
  const metadata = error instanceof Error && "$metadata" in error ? error.$metadata : undefined;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return undefined;
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}

/** S3 names each of its errors; what has no name of S3's came from something else. */
function isForeign(error: unknown): boolean {
  const [name = ""] = namesOf(error);
  return /^(UnknownError|Error|SyntaxError|\d+|Unknown|NotFound)$/.test(name);
}

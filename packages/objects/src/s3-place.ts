/** Where objects lie: what `s3://bucket/prefix?endpoint=…&region=…` says. */
export type S3Place = {
  readonly bucket: string;
  /** "" or a path that ends in a slash. */
  readonly prefix: string;
  /** Undefined: AWS itself. */
  readonly endpoint: string | undefined;
  /** Undefined: what the environment says. */
  readonly region: string | undefined;
};

const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const prefixPart = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
const known = new Set(["endpoint", "region"]);

/** Throws an Error that says what is wrong with the URL, without what may be secret in it. */
export function s3Place(url: string): S3Place {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined) throw new Error("not a URL; it is s3://bucket/prefix?endpoint=https://…&region=…");
  if (parsed.username !== "" || parsed.password !== "") {
    throw new Error(
      "credentials have no place in the URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE",
    );
  }
  const bucket = parsed.host;
  if (!bucketName.test(bucket))
    throw new Error(`${JSON.stringify(bucket)} cannot be a bucket's name; it is s3://bucket/prefix`);
  const parts = parsed.pathname.split("/").filter((part) => part !== "");
  if (!parts.every((part) => prefixPart.test(part)))
    throw new Error("a prefix is made of letters, digits and . _ - between slashes");
  const unknown = [...parsed.searchParams.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) throw new Error(`?${unknown} is not known; there are endpoint and region`);
  const endpoint = parsed.searchParams.get("endpoint") ?? undefined;
  if (endpoint !== undefined) checkEndpoint(endpoint);
  return {
    bucket,
    prefix: parts.map((part) => `${part}/`).join(""),
    endpoint,
    region: parsed.searchParams.get("region") ?? (endpoint === undefined ? undefined : "us-east-1"),
  };
}

function checkEndpoint(endpoint: string): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new Error("endpoint is http://host:port or https://host:port");
  }
}

import { readFileSync } from "node:fs";
import { settingText } from "@slipway/contracts";
import { errorCodes } from "@slipway/kernel";
import { z } from "zod";
import { type EcrPlace, ecrRegionOf } from "./ecr-place.ts";

/** The variable that names the file. */
export const externalRegistries = "SLIPWAY_EXTERNAL_REGISTRIES";

const Host = z
  .strictObject({
    /** May be at a private or loopback address. */
    private: z.boolean().default(false),
    /** Is spoken to without TLS. */
    http: z.boolean().default(false),
    username: z.string().min(1).optional(),
    /** Read at each copy, so that it may be renewed. */
    password_file: z.string().min(1).optional(),
    /** Amazon ECR: its passwords are asked for as whoever AWS says that this service is. */
    ecr: z
      .strictObject({
        region: z
          .string()
          .regex(/^[a-z0-9-]+$/, "is no region of AWS: they are written like eu-west-1")
          .optional(),
        endpoint: z.url({ protocol: /^https?$/ }).optional(),
        /** Whether a repository that images are published to is made where it is not there. */
        create_repositories: z.boolean().default(true),
      })
      .optional(),
  })
  .refine(({ ecr, username, password_file }) => ecr === undefined || (username ?? password_file) === undefined, {
    message: "ecr asks for its own password: leave username and password_file out",
  });
type Host = z.infer<typeof Host>;

const HostName = z
  .string()
  .regex(
    /^[a-z0-9.-]+(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$/,
    "write a host as the names of images do, e.g. ghcr.io or registry.example:5000",
  );

/** What the operator says of foreign registries, by `<host>` or `<host>:<port>`. */
export const RegistriesFile = z
  .strictObject({
    /** False: only the hosts below, token servers and storage they redirect to included. */
    public: z.boolean().default(true),
    hosts: z.record(HostName, Host).default({}),
  })
  .superRefine(({ hosts }, context) => {
    for (const [host, entry] of Object.entries(hosts)) {
      if (entry.ecr === undefined || ecrPlaceOf(host, entry.ecr) !== undefined) continue;
      const message = `${host} does not name its AWS region: say ecr.region`;
      context.addIssue({ code: "custom", path: ["hosts", host, "ecr"], message });
    }
  });
export type RegistriesFile = z.infer<typeof RegistriesFile>;

/** Nothing where there is no file. Throws an Error that says what is wrong with it, in one sentence with what to do. */
export function readRegistriesFile(path: string | undefined): RegistriesFile {
  if (path === undefined) return RegistriesFile.parse({});
  const file = `${path}, the file of ${externalRegistries},`;
  const read = RegistriesFile.safeParse(jsonIn(path, file), { error: settingText });
  if (read.success) return read.data;
  const said = read.error.issues.map(({ path: at, message }) =>
    at.length === 0 ? message : `${at.join(".")}: ${message}`,
  );
  throw new Error(`${file} is not understood (${said.join("; ")}): correct it`, { cause: read.error });
}

function jsonIn(path: string, file: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const code = errorCodes(cause).trim();
    throw new Error(`${file} cannot be read (${code}): put it there, or correct ${externalRegistries}`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own words may quote what stands there.
    const place = error instanceof Error ? (/ \(line \d+ column \d+\)/.exec(error.message)?.[0] ?? "") : "";
    throw new Error(`${file} is no JSON${place}: correct it`);
  }
}

/** Undefined where nothing names its AWS region. */
export function ecrPlaceOf(
  host: string,
  { region, endpoint }: Pick<NonNullable<Host["ecr"]>, "region" | "endpoint">,
): EcrPlace | undefined {
  const where = region ?? ecrRegionOf(host);
  return where === undefined ? undefined : { region: where, ...(endpoint === undefined ? {} : { endpoint }) };
}

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { RealPart } from "./part.ts";
import { type RealServer, startRealServer } from "./server.ts";

export type RealS3 = RealServer & {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  makeBucket(name: string): Promise<void>;
};

const accessKeyId = "slipway-test";
const secretAccessKey = "not-a-secret-but-long-enough";

/** An S3 server over a folder, in which each bucket is a folder. */
export async function startS3(part: RealPart): Promise<RealS3> {
  const server = await startRealServer(part, {
    args: ({ port, dir }) => [
      ...["--port", `127.0.0.1:${port}`, "--region", "us-east-1", "--quiet"],
      ...["posix", join(dir, "buckets")],
    ],
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
    // Who says no without a signature is there.
    answers: async (port) => (await fetch(`http://127.0.0.1:${port}/`)).status === 403,
    prepare: (dir) => mkdir(join(dir, "buckets"), { recursive: true }),
  });
  return {
    ...server,
    endpoint: `http://127.0.0.1:${server.port}`,
    accessKeyId,
    secretAccessKey,
    makeBucket: async (name) => void (await mkdir(join(server.dir, "buckets", name))),
  };
}

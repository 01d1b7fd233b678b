import { readFile } from "node:fs/promises";
import { Unusable } from "../exit-codes.ts";

/** What a file holds that was named for what nobody is to see among the arguments. Throws Unusable. */
export async function readBytes(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: Error) => {
    throw new Unusable(`${path} cannot be read: ${error.message}`);
  });
}

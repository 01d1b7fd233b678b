import { createHash } from "node:crypto";
import { once } from "node:events";
import { realpathSync } from "node:fs";
import { createServer } from "node:net";

/**
 * Holds a data folder for this process, from before anything is written until it ends in any way: of two platforms that start at the same moment
 * one has it. A name in Linux' abstract socket space, which the kernel takes back by itself. False when another process holds it.
 */
export async function holdFolder(folder: string): Promise<boolean> {
  const name = createHash("sha256").update(realpathSync(folder)).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  server.listen({ path: `\0slipway-data-${name}` });
  try {
    await once(server, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return false;
    throw error;
  }
  server.unref();
  return true;
}

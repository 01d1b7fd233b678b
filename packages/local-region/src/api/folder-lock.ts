import { createHash } from "node:crypto";
import { once } from "node:events";
import { realpath } from "node:fs/promises";
import { createServer } from "node:net";

/**
 * Holds a folder for this process: two servers that write one journal would destroy it. A name in Linux' abstract socket
 * space, which the kernel gives back when the process ends in any way. Throws when somebody has it.
 */
export async function lockFolder(dir: string): Promise<{ release(): Promise<void> }> {
  if (process.platform !== "linux") return { release: async () => undefined };
  const name = createHash("sha256")
    .update(await realpath(dir))
    .digest("hex")
    .slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  server.listen({ path: `\0slipway-region-${name}` });
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new Error(`another server runs on ${dir}`, { cause });
  }
  server.unref();
  return {
    async release() {
      server.close();
      await once(server, "close");
    },
  };
}

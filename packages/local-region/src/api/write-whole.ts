import { open, rename } from "node:fs/promises";

/** Replaces a file of secrets (0600) in one step: readers see the old text or the new one, also after a crash. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

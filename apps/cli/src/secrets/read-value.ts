/** What a stream holds. Reading ends, and the answer is longer than `most`, once there is more. */
export async function readValue(input: AsyncIterable<Uint8Array | string>, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk));
    length += chunk.length;
    if (length > most) break;
  }
  return Buffer.concat(chunks);
}

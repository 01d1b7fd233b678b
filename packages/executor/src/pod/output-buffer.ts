/** What a step printed, for readers who come late or again. Bounded by the step's own limit of output. */
export type OutputBuffer = {
  add(chunk: Uint8Array): void;
  end(): void;
  /** From a byte on, until the end. */
  read(from: number): AsyncGenerator<Uint8Array>;
};

export function outputBuffer(): OutputBuffer {
  const chunks: Chunk[] = [];
  let length = 0;
  let ended = false;
  let wake: () => void = () => undefined;
  let grown = new Promise<void>((resolve) => (wake = resolve));
  const tell = (): void => {
    wake();
    grown = new Promise<void>((resolve) => (wake = resolve));
  };
  return {
    add(chunk) {
      chunks.push({ at: length, bytes: Uint8Array.from(chunk) });
      length += chunk.byteLength;
      tell();
    },
    end() {
      ended = true;
      tell();
    },
    async *read(from) {
      for (let next = 0; !ended || next < chunks.length; ) {
        // Asked for before looking, so that nothing that comes in between is slept through.
        const more = grown;
        const chunk = chunks[next];
        if (chunk === undefined) await more;
        else {
          next += 1;
          yield* behind(chunk, from);
        }
      }
    },
  };
}

type Chunk = { readonly at: number; readonly bytes: Uint8Array };

/** What of a chunk lies at an offset or behind it. */
function* behind({ at, bytes }: Chunk, from: number): Generator<Uint8Array> {
  if (at + bytes.byteLength > from) yield bytes.subarray(Math.max(0, from - at));
}

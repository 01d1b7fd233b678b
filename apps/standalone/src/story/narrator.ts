import pc from "picocolors";

/** Tells people what happens, with the time since the start; on a terminal one line may be written over by the next. */
export type Narrator = {
  chapter(title: string): void;
  line(text: string): void;
  /** A line that may be replaced by the next one on a terminal; elsewhere it is left out. */
  passing(text: string): void;
};

export function narrator(out: NodeJS.WriteStream): Narrator {
  const began = performance.now();
  const clock = () => pc.dim(`${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  `);
  let passing = false;
  const clear = () => {
    if (passing) out.write("\r\u001b[2K");
    passing = false;
  };
  return {
    chapter(title) {
      clear();
      out.write(`\n${pc.bold(title)}\n`);
    },
    line(text) {
      clear();
      out.write(`${clock()}${text}\n`);
    },
    passing(text) {
      if (!out.isTTY) return;
      clear();
      out.write(`${clock()}${pc.dim(text.slice(0, Math.max(20, (out.columns ?? 80) - 12)))}`);
      passing = true;
    },
  };
}

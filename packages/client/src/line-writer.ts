/**
 * Writes to a stream of this process one piece at a time: what comes while a piece is on its way goes with the next one. Without it a reader that is
 * slower than we are leaves thousands of small pieces waiting, and the system refuses to take so many at once (EINVAL).
 */
export function lineWriter(stream: NodeJS.WritableStream): (text: string) => void {
  let waiting: string[] = [];
  let busy = false;
  const next = () => {
    busy = waiting.length > 0;
    if (!busy) return;
    const piece = waiting.join("");
    waiting = [];
    // What goes wrong is told by the stream's own event.
    stream.write(piece, next);
  };
  return (text) => {
    waiting.push(text);
    if (!busy) next();
  };
}

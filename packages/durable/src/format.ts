import type { AnyMachine } from "./types.ts";

/** Of what a program reads and writes: 1 where its definition says nothing. */
export function formatOf(definition: AnyMachine): number {
  return definition.format ?? 1;
}

/** A row that a newer program wrote, in a form that this one does not know: it is left as it is to processes of that version. */
export class WrittenByNewer extends Error {
  constructor(kind: string, id: string, found: number, known: number) {
    super(
      `${kind} ${id} was written by a newer version of this program (form ${found}, this one knows ${known}): it is left to processes of that version`,
    );
    this.name = "WrittenByNewer";
  }
}

import { runHost } from "../src/index.ts";
import { notesModule } from "./example-module.ts";

const notes = notesModule();
if (process.env.NOTES_HANG === "true") {
  Object.defineProperty(notes, "gate", {
    get: () => {
      notes.context?.log.info({}, "a note hangs");
      return new Promise(() => undefined);
    },
  });
}
await runHost({ modules: [notes.module] });

import { runHost } from "../src/index.ts";
import { notesModule } from "./example-module.ts";

await runHost({ modules: [notesModule().module] });

import { runService } from "../src/index.ts";
import { notesModule } from "./example-module.ts";

await runService(notesModule().module);

import { runHost } from "@slipway/host";
import { rollbackController } from "./module.ts";

await runHost({ modules: [rollbackController] });

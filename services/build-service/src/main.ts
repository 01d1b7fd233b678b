import { runHost } from "@slipway/host";
import { buildService } from "./module.ts";

await runHost({ modules: [buildService] });

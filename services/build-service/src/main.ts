import { runService } from "@slipway/host";
import { buildService } from "./module.ts";

await runService(buildService);

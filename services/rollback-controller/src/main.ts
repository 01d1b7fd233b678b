import { runService } from "@slipway/host";
import { rollbackController } from "./module.ts";

await runService(rollbackController);

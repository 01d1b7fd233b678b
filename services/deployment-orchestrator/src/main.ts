import { runService } from "@slipway/host";
import { deploymentOrchestrator } from "./module.ts";

await runService(deploymentOrchestrator);

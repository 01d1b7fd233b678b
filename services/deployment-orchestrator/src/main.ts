import { runHost } from "@slipway/host";
import { deploymentOrchestrator } from "./module.ts";

await runHost({ modules: [deploymentOrchestrator] });

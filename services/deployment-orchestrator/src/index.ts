export { deploymentOrchestrator } from "./module.ts";

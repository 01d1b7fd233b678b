import { runHost } from "@slipway/host";
import { artifactRegistry } from "./module.ts";

await runHost({ modules: [artifactRegistry] });

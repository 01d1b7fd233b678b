import { runService } from "@slipway/host";
import { artifactRegistry } from "./module.ts";

await runService(artifactRegistry);

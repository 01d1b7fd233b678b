import { runService } from "@slipway/host";
import { metricsAggregator } from "./module.ts";

await runService(metricsAggregator);

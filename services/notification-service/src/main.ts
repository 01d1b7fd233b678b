import { runService } from "@slipway/host";
import { notificationService } from "./module.ts";

await runService(notificationService);

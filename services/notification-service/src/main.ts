import { runHost } from "@slipway/host";
import { notificationService } from "./module.ts";

await runHost({ modules: [notificationService] });

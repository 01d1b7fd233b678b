export { notificationService } from "./module.ts";

export { buildService } from "./module.ts";

export { rollbackController } from "./module.ts";

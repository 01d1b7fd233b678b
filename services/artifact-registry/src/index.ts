export { artifactRegistry } from "./module.ts";

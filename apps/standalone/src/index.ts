export { runPlatform } from "./platform.ts";

export { fileObjects } from "./filesystem.ts";
export { InvalidObjectKey, type ObjectInfo, type ObjectKey, type Objects } from "./port.ts";

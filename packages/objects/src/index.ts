export { fileObjects } from "./filesystem.ts";
export { InvalidObjectKey, type ObjectInfo, type ObjectKey, type Objects } from "./port.ts";
export { s3Objects } from "./s3.ts";
export { s3Place } from "./s3-place.ts";
export { ObjectsUnavailable } from "./s3-problem.ts";

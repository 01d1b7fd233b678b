import { artifactTopic } from "./artifact.ts";
import { buildTopic } from "./build.ts";
import { deploymentTopic } from "./deployment.ts";
import { notificationTopic } from "./notification.ts";
import { regionTopic } from "./region.ts";
import { watchTopic } from "./watch.ts";

export const topics = [buildTopic, artifactTopic, deploymentTopic, watchTopic, regionTopic, notificationTopic] as const;

/** True for an event of one of our topics that this version does not know: only a newer one can have published it. */
export function isOfNewerVersion(type: string): boolean {
  const [prefix, ...rest] = type.split(".");
  const of = topics.find((topic) => topic.prefix === prefix);
  return of !== undefined && !Object.hasOwn(of.shapes, rest.join("."));
}

import { join } from "node:path";
import { type TrafficWrite, trafficWrites as writesOf } from "@slipway/testkit";

export type { TrafficWrite };

/** What was written on the story's service in a region of this platform, in the order of the writes. */
export function trafficWrites(dataDir: string, region: string): readonly TrafficWrite[] {
  return writesOf(join(dataDir, "regions", region, "api"));
}

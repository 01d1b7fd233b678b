import { promoteToProd, pushAndBuild } from "./building.ts";
import { StoryFailed, type Telling } from "./context.ts";
import { deploy } from "./deploying.ts";
import { storyChange } from "./story-change.ts";

/** Brings the example to prod where no version of it serves yet. */
export async function firstVersion(telling: Telling): Promise<void> {
  const { file, tell } = telling;
  if (file.state.served) return;
  tell.chapter("First version");
  const change = storyChange(telling, "first");
  const digest = await pushAndBuild(telling, change);
  await promoteToProd(telling, digest);
  const view = await deploy(telling, change, digest);
  if (view.status !== "SUCCEEDED")
    throw new StoryFailed(`the first version ended ${view.status}: ${view.reason ?? ""}`);
  file.state.served = true;
  file.save();
}

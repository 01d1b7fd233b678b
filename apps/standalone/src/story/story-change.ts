import type { OnItsWay, Telling } from "./context.ts";
import type { ChangeName } from "./state.ts";
import type { Commit } from "./working-copy.ts";

/** One of the story's changes, on its way. */
export function storyChange({ file, copy }: Telling, name: ChangeName): OnItsWay {
  const { number } = file.state;
  return {
    record: file.state[name],
    save: () => file.save(),
    commit: () => copy.commit(commits[name](number)),
    key: `story-${number}-${name}`,
    initial: name === "first",
  };
}

const commits: Record<ChangeName, (story: number) => Commit> = {
  first: () => ({ subject: "feat: orders, the first version" }),
  good: (story) => ({
    subject: `feat: count the orders answered (story ${story})`,
    behaviour: { change: "good", release: `${story}.1` },
  }),
  bad: (story) => ({
    subject: `feat: read the stock before answering (story ${story})`,
    behaviour: { change: "bad", release: `${story}.2` },
  }),
};

/**
 * Urgent work goes alone for so long: what comes with it (events, and all that others do about them) shares its processor and
 * its database, and can wait. Not longer, since what it calls may hang; and not again and again, since urgent work may never end.
 */
const headStartMs = 100;
const longestWaitMs = 200;

export type HeadStart = {
  /** Milliseconds for which nothing ordinary may begin. All times are of one monotonic clock; `urgentSince`: of the youngest urgent work under way. */
  leftMs(urgentSince: number | undefined, now: number): number;
};

export function createHeadStart(): HeadStart {
  let waitingSince: number | undefined;
  return {
    leftMs(urgentSince, now) {
      const left = urgentSince === undefined ? 0 : Math.max(0, urgentSince + headStartMs - now);
      if (left === 0 || now - (waitingSince ?? now) >= longestWaitMs) {
        waitingSince = undefined;
        return 0;
      }
      waitingSince ??= now;
      return left;
    },
  };
}

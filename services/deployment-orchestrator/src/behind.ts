import { type FenceSeen, formatFence } from "@slipway/cluster";
import type { Instant, RegionName } from "@slipway/kernel";
import type { Locks, Target } from "@slipway/lock";
import type { Db, Tx } from "@slipway/sql";
import { sql } from "kysely";
import type { Tables } from "./store.ts";

/** A target that is only observed: its region carries a newer grant than this database knows. */
export type Observed = Target & {
  readonly fence: string;
  readonly epochThere: number;
  readonly epochHere: number;
  readonly weights: Readonly<Record<string, number>>;
  readonly since: Instant;
};

/**
 * Compares what regions carry with the epochs of this database. An epoch is stored before any region sees it: one that is higher there means
 * that this database was restored to an older state (or that somebody wrote the annotation by hand, which a person has to look at as well).
 */
export function behindRegions({ db, locks }: { readonly db: Db<Tables>; readonly locks: Locks }) {
  return {
    /** `seen` must have been read before this call. `whole`: these are all fences of the region, so that what is not among them is over. */
    async note(region: RegionName, seen: readonly FenceSeen[], whole: boolean): Promise<void> {
      const known = await locks.epochsIn(region);
      const epochs = new Map(known.map(({ target: t, epoch }) => [`${t.environment}/${t.service}`, epoch as number]));
      const ahead = seen.flatMap(({ target, fence, weights }): Ahead[] => {
        const epoch = epochs.get(`${target.environment}/${target.service}`) ?? 0;
        return fence.epoch > epoch ? [{ here: { target: { ...target, region }, epoch }, fence, weights }] : [];
      });
      const names = ahead.map(({ here }) => `${here.target.service}/${here.target.environment}`);
      await db.transaction().execute(async (tx) => {
        if (whole) {
          await sql`delete from observed
            where region = ${region} and not (service || '/' || environment = any(${names}::text[]))`.execute(tx);
        }
        for (const found of ahead) await observe(tx, found);
      });
    },

    /** The observed targets; of one service in one environment when it is named. */
    async observed(of?: Pick<Target, "service" | "environment">): Promise<readonly Observed[]> {
      const where = of === undefined ? sql`true` : sql`service = ${of.service} and environment = ${of.environment}`;
      const { rows } = await sql<Observed>`select service, environment, region, fence, epoch_there as "epochThere",
        epoch_here as "epochHere", weights, since from observed where ${where} order by service, environment, region`.execute(
        db,
      );
      return rows;
    },

    async forget(targets: readonly Target[]): Promise<void> {
      for (const { service, environment, region } of targets)
        await sql`delete from observed where service = ${service} and environment = ${environment} and region = ${region}`.execute(
          db,
        );
    },
  };
}

type Ahead = {
  readonly here: { readonly target: Target; readonly epoch: number };
  readonly fence: FenceSeen["fence"];
  readonly weights: FenceSeen["weights"];
};

async function observe(tx: Tx<Tables>, { here, fence, weights }: Ahead): Promise<void> {
  const { service, environment, region } = here.target;
  await sql`
    insert into observed (service, environment, region, fence, epoch_there, epoch_here, weights)
    values (${service}, ${environment}, ${region}, ${formatFence(fence)}, ${fence.epoch}, ${here.epoch},
      ${JSON.stringify(weights)})
    on conflict (service, environment, region) do update set fence = excluded.fence,
      epoch_there = excluded.epoch_there, epoch_here = excluded.epoch_here, weights = excluded.weights`.execute(tx);
}

export type Behind = ReturnType<typeof behindRegions>;

/** Why nothing is raised there, in one clause. */
export function observedReason({ region, fence, epochHere }: Observed): string {
  const [epoch, , , holder] = fence.split("/");
  return `${region} carries grant ${epoch} of ${holder} and this database knows ${epochHere}: it was restored to an older state`;
}

import type { Bus } from "@slipway/bus";
import type { Client } from "@slipway/client";
import {
  getWatch,
  type Judgement,
  noCounts,
  ProblemError,
  putWatch,
  type WatchRequest,
  watchTopic,
} from "@slipway/contracts";
import { type DeploymentId, type Instant, instant } from "@slipway/kernel";
import { judgement } from "./sample.ts";
import type { SeenRegion } from "./scripted-cluster.ts";

/** A watch that somebody armed. */
export type Watched = { readonly id: DeploymentId; readonly spec: WatchRequest };

type Watching = { spec: WatchRequest; failed: Judgement | null };

/**
 * A rollback-controller that passes every canary that is served, and fails the ones that it is told to. It tells by its API and, again and
 * again, by the real bus; a FAIL it tells once, as the real one does after it has shut the fences.
 */
export class ScriptedWatch {
  readonly armed: string[] = [];
  /** The weight at which a deployment's version is found bad. */
  readonly failAt = new Map<string, number>();
  readonly #watches = new Map<string, Watching>();
  readonly #clusters: readonly SeenRegion[];
  readonly #bus: Bus;
  readonly #timer: NodeJS.Timeout;
  #events = 0;

  constructor(clusters: readonly SeenRegion[], bus: Bus, armed: readonly Watched[] = []) {
    this.#clusters = clusters;
    this.#bus = bus;
    for (const { id, spec } of armed) this.#put(id, spec);
    this.#timer = setInterval(() => void this.#tellAll(), 40);
  }

  get client(): Client {
    const call = async (endpoint: object, input: { params: { id: DeploymentId }; body?: WatchRequest }) => {
      const { id } = input.params;
      if (endpoint === putWatch && input.body !== undefined) this.#put(id, input.body);
      else if (endpoint !== getWatch) throw new Error("nobody answers this here");
      const watched = this.#watches.get(id);
      if (watched === undefined) throw new ProblemError("watch.not_found", `no watch ${id}`);
      return this.#view(id, watched);
    };
    return { call, close: async () => undefined } as unknown as Client;
  }

  /** A FAIL that is known to the watch and whose event has not come yet. */
  failSilently(id: string): void {
    const watched = this.#watches.get(id);
    if (watched === undefined) throw new Error(`no watch ${id}`);
    const { step, epochs } = watched.spec;
    watched.failed = judgement({ verdict: "FAIL", step, regions: Object.keys(epochs), at: instant(Date.now()) });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #put(id: string, spec: WatchRequest): void {
    this.armed.push(`${id} ${spec.mode} ${spec.step}`);
    this.#watches.set(id, { spec, failed: this.#watches.get(id)?.failed ?? null });
  }

  #view(id: string, { spec, failed }: Watching) {
    const now = instant(Date.now());
    const regions = this.#regionsOf(spec).map(({ region, weights }) => {
      const served_weight = { percent: weights[spec.version] ?? 0, source: "gauge", at: now };
      return [region, { counts: noCounts, served_weight, last_look_at: now, shut_at: null }];
    });
    return {
      deployment_id: id,
      ...spec,
      state: failed === null ? "watching" : "failed",
      judgement: failed ?? this.#judge(spec, now),
      regions: Object.fromEntries(regions),
      last_look_at: now,
    };
  }

  #judge(spec: WatchRequest, at: Instant): Judgement {
    const regions = Object.keys(spec.epochs);
    const served = this.#regionsOf(spec).every(({ weights }) => weights[spec.version] === spec.weight_percent);
    const verdict = served && spec.mode === "canary" ? "PASS" : "NONE";
    return judgement({
      ...{ verdict, step: spec.step, weightPercent: spec.weight_percent, regions, at },
      windowFrom: spec.window_from ?? at,
    });
  }

  async #tellAll(): Promise<void> {
    for (const [id, watched] of this.#watches) {
      if (watched.failed !== null) continue;
      const now = instant(Date.now());
      const threshold = this.failAt.get(id);
      const bad = this.#regionsOf(watched.spec).some(({ weights }) => {
        return threshold !== undefined && (weights[watched.spec.version] ?? 0) >= threshold;
      });
      if (bad) await this.#fail(id, watched, now);
      else if (watched.spec.mode === "canary")
        await this.#publish(id, watched, "watch.judged", this.#judge(watched.spec, now));
    }
  }

  async #fail(id: string, watched: Watching, at: Instant): Promise<void> {
    const { spec } = watched;
    watched.failed = judgement({ verdict: "FAIL", step: spec.step, regions: Object.keys(spec.epochs), at });
    await this.#publish(id, watched, "watch.failed", watched.failed);
  }

  async #publish(id: string, { spec }: Watching, type: string, found: Judgement): Promise<void> {
    this.#events += 1;
    const { service, environment, version, epochs } = spec;
    const failed = type === "watch.failed" ? { first_error_at: null } : {};
    const data = { deployment_id: id, service, environment, version, epochs, judgement: found, ...failed };
    const envelope = {
      specversion: "1.0" as const,
      source: "rollback-controller",
      datacontenttype: "application/json" as const,
    };
    const event = { ...envelope, id: `w-${id}-${this.#events}`, type, subject: id, time: found.at, data };
    await this.#bus.publish(watchTopic.name, [event]).catch(() => undefined);
  }

  #regionsOf(spec: WatchRequest): readonly SeenRegion[] {
    return this.#clusters.filter(({ region }) => spec.epochs[region] !== undefined);
  }
}

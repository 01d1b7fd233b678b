import { approvePromotion, getArtifact, getImport, listPromotions } from "@slipway/contracts";
import type { Digest, ImportId, PromotionId } from "@slipway/kernel";
import { chosenScenes, putScene, type Scene, scenesOf, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterEach, expect, test } from "vitest";
import type { ArtifactState } from "../src/domain/artifact.ts";
import type { ImageImport } from "../src/domain/image-import.ts";
import type { Promotion } from "../src/domain/promotion.ts";
import type { Publication } from "../src/domain/publication.ts";
import { publicationOf } from "./published.ts";
import { startRegistry, type TestRegistry } from "./start-registry.ts";

const released = new URL("released", import.meta.url).pathname;
const artifacts = await scenesOf(released, "artifact");
const promotions = await scenesOf(released, "promotion");
const imports = await scenesOf(released, "import");
const publications = await scenesOf(released, "publication");

const phases = [
  ["artifact", artifacts, { registered: 0 } satisfies Record<ArtifactState["phase"], 0>],
  ["promotion", promotions, { pending: 0, promoted: 0, rejected: 0 } satisfies Record<Promotion["phase"], 0>],
  ["import", imports, { copying: 0, registered: 0, failed: 0 } satisfies Record<ImageImport["phase"], 0>],
  ["publication", publications, { copying: 0, published: 0, failed: 0 } satisfies Record<Publication["phase"], 0>],
] as const;

let registry: TestRegistry | undefined;
afterEach(async () => await registry?.close());

test.each(phases)("of %s that an earlier version left one is kept of every phase", (_, scenes, all) => {
  expect(Object.keys(all).filter((phase) => !scenes.some((scene) => scene.phase === phase))).toEqual([]);
});

const rowsOf = (scenes: typeof artifacts) =>
  chosenScenes(scenes).map((scene) => [scene.version, scene.phase, scene] as const);

test.each(rowsOf(artifacts))(
  "%s, an artifact that is %s is shown, and what was to be told of it is told",
  async (_, __, scene) => {
    registry = await goOnFrom(scene);
    const { digest } = await registry.as("viewer").call(getArtifact, { params: { digest: scene.id as Digest } });
    expect(digest).toBe(scene.id);
    await untilDone(scene);
  },
);

test.each(rowsOf(promotions))("%s, a promotion that is %s comes to its end", async (_, phase, scene) => {
  registry = await goOnFrom(scene);
  const id = scene.id as PromotionId;
  if (phase === "pending") {
    const approved = await registry.as("approver").call(approvePromotion, { params: { id }, body: {} });
    expect(approved.status).toMatch(/PROMOTED|PENDING/);
  } else expect((await shownPromotion(scene))?.status).toBe(phase.toUpperCase());
  await untilDone(scene);
});

test.each(rowsOf(imports))(
  "%s, an import that is %s comes to its end, and says why where it failed",
  async (_, phase, scene) => {
    registry = await goOnFrom(scene);
    const shown = () => registry?.as("viewer").call(getImport, { params: { id: scene.id as ImportId } });
    const end = phase === "registered" ? "REGISTERED" : "FAILED";
    const found = await until(async () => ((view) => (view?.status === end ? view : undefined))(await shown()), {
      what: `${scene.id} to be ${end}`,
    });
    if (end === "FAILED") expect(found.reason).toMatch(/\w/);
    await untilDone(scene);
  },
);

test.each(rowsOf(publications))("%s, a publication that is %s comes to its end", async (_, phase, scene) => {
  const { request } = stateOf<Publication>(scene);
  registry = await goOnFrom(scene, { SLIPWAY_PUBLISH_TO: `${request.host}/slipway` });
  const end = phase === "published" ? "PUBLISHED" : "FAILED";
  const look = async () => (registry === undefined ? undefined : await publicationOf(registry, request.digest));
  const found = await until(async () => ((view) => (view?.status === end ? view : undefined))(await look()), {
    what: `${scene.id} to be ${end}`,
  });
  expect(found.image).toBe(scene.id);
  if (end === "FAILED") expect(found.reason).toMatch(/\w/);
  await untilDone(scene);
});

/** The program of today over what that version left. */
function goOnFrom(scene: Scene, more: Readonly<Record<string, string>> = {}): Promise<TestRegistry> {
  const env = { ...more, SLIPWAY_EXTERNAL_LOOPBACK: "true", SLIPWAY_EXTERNAL_DEADLINE: "5s" };
  return startRegistry(env, { before: ({ adminUrl }) => putScene(adminUrl, "registry", scene) });
}

async function shownPromotion(scene: Scene) {
  const params = { digest: stateOf<Promotion>(scene).request.digest };
  const { promotions: all } = (await registry?.as("viewer").call(listPromotions, { params })) ?? { promotions: [] };
  return all.find(({ promotion_id }) => promotion_id === scene.id);
}

function stateOf<S>({ id, tables }: Scene): S {
  const row = (tables.machine ?? []).find((machine) => machine.id === id);
  if (row === undefined) throw new Error(`the scene has no ${id}`);
  return row.state as S;
}

async function untilDone({ id }: Scene): Promise<void> {
  const db = registry?.database.db<never>("registry");
  if (db === undefined) throw new Error("no registry");
  const left = async () => (await sql`select from command where id = ${id}`.execute(db)).rows.length;
  await until(async () => (await left()) === 0, { what: "all of it to be done" });
}

import type { Service } from "../service.ts";
import { publicationTrouble } from "../store/publications.ts";

const shown = 3;

/** What keeps images from being published now, a sentence each: the rights that are missing are known by what was tried. Never rejects: that the database is away is said elsewhere. */
export async function publishingTrouble({ db, publishing: { place } }: Service): Promise<readonly string[]> {
  if (place === undefined) return [];
  const reasons = await publicationTrouble(db, place.host, shown).catch(() => []);
  return reasons.map((reason) => `images are not published: ${reason}`);
}

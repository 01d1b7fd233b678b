import { RegistryClient } from "./client.ts";
import { OciError } from "./errors.ts";
import { type ForeignRegistries, foreignRegistries } from "./foreign-registries.ts";
import { type PublishPlace, PublishTo, repositoryOf } from "./publish-place.ts";
import { publishTrouble } from "./publish-trouble.ts";
import { readRegistriesFile } from "./registries-file.ts";

const withinMs = 5_000;
/** No service is called so: nothing is ever kept there. */
const probed = "slipway-doctor";

/** What the artifact-registry is told of registries of others, as its environment has it. */
export type ForeignSettings = {
  /** Path of the file. */
  readonly file: string | undefined;
  readonly loopback: boolean;
  readonly publishTo: string | undefined;
};

/** What keeps images from being fetched from the registries that the operator has named, and from being published: a sentence each. Never rejects. */
export async function foreignRegistryChecks({
  file,
  loopback,
  publishTo = "",
}: ForeignSettings): Promise<{ readonly named: readonly string[]; readonly published: readonly string[] }> {
  const place = PublishTo.safeParse(publishTo);
  const [issue] = place.error?.issues ?? [];
  const unsaid =
    issue === undefined ? [] : [`SLIPWAY_PUBLISH_TO names no place: correct SLIPWAY_PUBLISH_TO, ${issue.message}`];
  try {
    const registries = foreignRegistries(readRegistriesFile(file), loopback);
    const problem = place.data === undefined ? undefined : await publishProblem(registries, place.data);
    return { named: await registries.problems(), published: problem === undefined ? unsaid : [problem] };
  } catch (error) {
    return { named: [error instanceof Error ? error.message : String(error)], published: unsaid };
  }
}

/** Whether an image could be sent there, by an upload that is begun and given up. */
async function publishProblem(registries: ForeignRegistries, place: PublishPlace): Promise<string | undefined> {
  const where = { host: place.host, repository: repositoryOf(place, probed) };
  try {
    const { url, auth, makeRepository } = await registries.targetOf(place.host);
    const client = new RegistryClient({
      ...{ url: url.href, guard: registries.guard, deadlineMs: withinMs },
      ...(auth === undefined ? {} : { auth }),
    });
    try {
      await client.tryUpload(where.repository);
    } catch (error) {
      // Where repositories are made first, that this one is not there is all that can be known of it.
      const isAbsent = error instanceof OciError && error.kind === "not_found";
      if (!isAbsent || makeRepository === undefined) throw error;
    } finally {
      await client.close();
    }
    return undefined;
  } catch (error) {
    if (error instanceof OciError) return publishTrouble(error, where);
    throw error;
  }
}

import { openEcr } from "./ecr.ts";
import type { EcrPlace } from "./ecr-place.ts";
import { ecrRepositoryRefusal } from "./ecr-problem.ts";

const accountPattern = /^(\d{12})\./;

/**
 * Makes a repository of ECR whose tags never move; one that somebody was faster with is as good. `host`: the registry as images name it, whose account is the one
 * that gets it. Throws OciError.
 */
export async function createEcrRepository(place: EcrPlace, host: string, name: string): Promise<void> {
  const { aws, client } = await openEcr(place);
  const registryId = accountPattern.exec(host)?.[1];
  try {
    await client.send(
      new aws.CreateRepositoryCommand({
        ...{ repositoryName: name, imageTagMutability: "IMMUTABLE" },
        ...(registryId === undefined ? {} : { registryId }),
      }),
    );
  } catch (error) {
    if (error instanceof Error && error.name === "RepositoryAlreadyExistsException") return;
    throw ecrRepositoryRefusal(error, place, name);
  } finally {
    client.destroy();
  }
}

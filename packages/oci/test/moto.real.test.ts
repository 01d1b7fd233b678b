import { realPart, startMoto } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ecrAuth, openEcr } from "../src/ecr.ts";
import { createEcrRepository } from "../src/ecr-repository.ts";

const part = realPart("moto");

/** That what we ask of ECR is understood by a server that others made. It holds no images, and its digests are wrong: `ecr.real.test.ts` is about those. */
describe.skipIf(part === undefined)("the ECR of moto", () => {
  let moto: Awaited<ReturnType<typeof startMoto>>;
  const place = () => ({ region: "eu-west-1", endpoint: moto.url });
  const host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

  beforeAll(async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIANOBODY");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "not-a-secret");
    moto = await startMoto(part!);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await moto?.stop();
  });

  const describeRepository = async (name: string) => {
    const { aws, client } = await openEcr(place());
    const asked = client.send(new aws.DescribeRepositoriesCommand({ repositoryNames: [name] }));
    return await asked.finally(() => client.destroy());
  };

  test("gives a password, which is kept for a minute though its date is in the past", async () => {
    let now = 0;
    const auth = ecrAuth(place(), () => now);
    const current = () => auth.current(AbortSignal.timeout(20_000));

    const first = await current();
    now = 59_000;
    const kept = await current();
    now = 61_000;
    const renewed = await current();

    expect(first).toEqual({ username: "AWS", password: expect.stringMatching(/./) });
    expect(kept).toBe(first);
    expect(renewed).not.toBe(first);
  });

  test("makes a repository whose tags never move, and one that is there is as good", async () => {
    await createEcrRepository(place(), host, "team/shop");
    await createEcrRepository(place(), host, "team/shop");

    const { repositories } = await describeRepository("team/shop");
    expect(repositories).toMatchObject([{ repositoryName: "team/shop", imageTagMutability: "IMMUTABLE" }]);
  });

  test("says that there is no repository, by the name that ECR has for it", async () => {
    await expect(describeRepository("team/nobody-made-it")).rejects.toMatchObject({
      name: "RepositoryNotFoundException",
    });
  });

  test("refuses a name that no repository can have, and ours says what to do", async () => {
    await expect(createEcrRepository(place(), host, "Team/Shop")).rejects.toMatchObject({
      ...{
        kind: "refused",
        message: expect.stringMatching(/does not make the repository Team\/Shop: .*correct its name/),
      },
    });
  });
});

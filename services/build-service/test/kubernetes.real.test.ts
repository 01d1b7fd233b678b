import {
  type BuildsCluster,
  buildsNamespace,
  hasAddresses,
  realPart,
  runnerImage,
  startBuildsCluster,
  until,
} from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testRepository } from "./git-repository.ts";
import { type Served, type ServedPlace, servedPlace } from "./served.ts";

const [etcd, kubernetes, helm] = [realPart("etcd"), realPart("kubernetes"), realPart("helm")];
const parts = etcd && kubernetes && helm && hasAddresses() ? { etcd, kubernetes, helm } : undefined;

type List = { readonly items: readonly { readonly metadata: { readonly name: string } }[] };

describe.skipIf(parts === undefined)("builds whose steps are Jobs on a real API server", () => {
  let cluster: BuildsCluster;
  let place: ServedPlace;
  let service: Served;
  let count = 0;

  beforeAll(async () => {
    cluster = await startBuildsCluster(parts!);
    const query = new URLSearchParams({ image: runnerImage, namespace: buildsNamespace, start_seconds: "60" });
    place = await servedPlace({ SLIPWAY_EXECUTOR: `kubernetes://${cluster.kubeconfig}?${query}` });
    service = await place.start();
  });
  afterAll(async () => {
    await place?.close();
    await cluster?.stop();
  });

  const jobsPath = `/apis/batch/v1/namespaces/${buildsNamespace}/jobs`;
  const jobs = async () => ((await cluster.real.api("GET", jobsPath)) as List).items;
  const gone = () => until(async () => (await jobs()).length === 0, { what: "the Jobs of ended builds to be gone" });

  /** The build of a commit with this pipeline. */
  async function pushed(pipeline: string, image = "{ copy: [out], command: [node, out/main.js] }"): Promise<string> {
    count += 1;
    const name = `small-${count}`;
    const repository = await testRepository(place.folder, name, false);
    const file = `version: 1\nservice: ${name}\npipeline:\n${pipeline}\nimage: ${image}\n`;
    const sha = await repository.commit({ "slipway.yaml": file, "main.js": "console.log(1)\n" });
    return service.push(name, { url: repository.url, sha });
  }

  const logHas = (id: string, text: string) =>
    until(async () => (await service.log(id)).includes(text), { what: `${text} in the log`, timeoutMs: 60_000 });

  test("a pipeline's steps run in pods of their own, one after what it needs, and its image is made of what they left", async () => {
    const id = await pushed(
      [
        "  compile: { run: 'mkdir out; cat main.js > out/main.js; echo compiled on' }",
        "  unit: { needs: [compile], run: 'cat out/main.js; echo left by a test > out/junk' }",
        "  scan: { needs: [compile], uses: security-scan }",
      ].join("\n"),
    );

    const build = await service.ended(id);

    const text = await service.log(id);
    expect(build, text).toMatchObject({ status: "SUCCEEDED" });
    expect(build.isolation).toMatch(/^a Kubernetes Job per step in slipway-builds/);
    expect(text).toContain("compile | compiled on\n");
    expect(text).toContain("unit | console.log(1)\n");
    expect(text).toContain("scan | nothing found\n");
    await gone();
  });

  test("a step that fails says so, and what waits for it is skipped", async () => {
    const id = await pushed("  first: { run: 'echo before; exit 7' }\n  second: { needs: [first], run: echo never }");

    const build = await service.ended(id);

    expect(build).toMatchObject({ status: "FAILED" });
    expect(await service.log(id)).toMatch(/first \| before\nfirst \| failed after [\d.]+ s \(exit code 7\)\n/);
    await gone();
  });

  test("after kill -9 of the service its step runs on, and no line of it is told twice", async () => {
    const script =
      'echo begun; i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done; mkdir out; echo 1 > out/main.js; echo done';
    const id = await pushed(`  first: { run: echo once }\n  second: { needs: [first], run: '${script}' }`);
    await logHas(id, "second | line 5\n");
    const [job] = await jobs();

    await service.kill();
    service = await place.start();
    const build = await service.ended(id);

    const text = await service.log(id);
    expect(build, text).toMatchObject({ status: "SUCCEEDED" });
    expect(text).toContain(`second | goes on with its Job ${job?.metadata.name}\n`);
    const said = text.split("\n").flatMap((line) => /^second \| ((?:line|begun|done).*)$/.exec(line)?.[1] ?? []);
    expect(said).toEqual(["begun", ...Array.from({ length: 60 }, (_, at) => `line ${at + 1}`), "done"]);
    await gone();
  });

  test("a build that is cancelled leaves no Job and no pod", async () => {
    const id = await pushed("  only: { run: 'echo begun; sleep 600' }");
    await logHas(id, "only | begun\n");

    await service.cancel(id);

    expect(await service.ended(id)).toMatchObject({ status: "CANCELLED" });
    await gone();
    const pods = `/api/v1/namespaces/${buildsNamespace}/pods`;
    await until(async () => ((await cluster.real.api("GET", pods)) as List).items.length === 0, {
      what: "the pods to be gone",
    });
  });
});

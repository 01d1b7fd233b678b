import { builderImage, hasAddresses, imageBuildsNamespace, realPart, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerfileBuilds, startDockerfileBuilds } from "./dockerfile-builds.ts";
import { testRepository } from "./git-repository.ts";
import { servedPlace } from "./served.ts";

const [etcd, kubernetes, helm] = [realPart("etcd"), realPart("kubernetes"), realPart("helm")];
const [buildkit, runc] = [realPart("buildkit"), realPart("runc")];
const parts =
  etcd && kubernetes && helm && buildkit && runc && hasAddresses()
    ? { etcd, kubernetes, helm, buildkit, runc }
    : undefined;

describe.skipIf(parts === undefined)("Dockerfiles that rootless BuildKit builds in a pod on a real API server", () => {
  let builds: DockerfileBuilds;
  beforeAll(async () => {
    builds = await startDockerfileBuilds(parts!);
  });
  afterAll(() => builds?.close());

  const from = (): string => builds.base.from;
  const built: DockerfileBuilds["built"] = (pushed, branch) => builds.built(pushed, branch);

  /** The repository of a service of its own, with this Dockerfile. */
  async function repositoryOf(
    dockerfile: string,
    step = "{ needs: [compile], uses: dockerfile, network: registries }",
  ) {
    const { service, repository } = await builds.service();
    const pipeline = `  compile: { run: 'mkdir out; echo compiled > out/hello' }\n  container: ${step}\n`;
    const file = `version: 1\nservice: ${service}\npipeline:\n${pipeline}image: { from: container }\n`;
    const sha = await repository.commit({
      "slipway.yaml": file,
      Dockerfile: dockerfile,
      "left.md": "",
      ".dockerignore": "*.md\n",
    });
    return { service, url: repository.url, sha };
  }

  test("an image of its commit and of what steps made is pushed, with where it came from; built again it has the same digest", async () => {
    const pushed = await repositoryOf(
      `# syntax=docker/dockerfile:1\nFROM ${from()} AS run\nCOPY . /all\nRUN cat /all/out/hello; echo has $(ls -A /all).; echo made > /made\nCMD ["/bin/sh"]\n`,
    );

    const first = await built(pushed);
    const second = await built(pushed, "again");

    expect(first, first.log).toMatchObject({ status: "SUCCEEDED" });
    expect(first.log).toMatch(/container \| .* compiled\n/);
    expect(first.log).toMatch(/ has \.dockerignore Dockerfile out slipway\.yaml\.\n/);
    expect(first.log).toContain(`image | base ${builds.base.pinned}\n`);
    expect(second, second.log).toMatchObject({ status: "SUCCEEDED", digest: first.digest });
    const { service, sha } = pushed;
    const stored = builds.platform.registry.manifests.get(`${service}:${sha}`);
    expect(stored?.digest).toBe(first.digest);
    const manifest = JSON.parse(String(stored?.bytes)) as {
      readonly config: { readonly digest: string };
      readonly layers: readonly { readonly digest: string }[];
    };
    expect(manifest.layers).toHaveLength(3);
    for (const { digest } of manifest.layers) expect(builds.platform.registry.blobs.has(digest)).toBe(true);
    expect(JSON.parse(String(builds.platform.registry.blobs.get(manifest.config.digest)))).toMatchObject({
      config: { Cmd: ["/bin/sh"], Labels: { "org.opencontainers.image.revision": sha } },
    });
    expect(builds.platform.registry.artifacts.find(({ digest }) => digest === first.digest)?.provenance).toMatchObject({
      ...{ isolation: "kubernetes", dockerfile: { step: "container", path: "Dockerfile", target: null } },
      images: [
        { used_by: "step container", image: builderImage },
        { used_by: "Dockerfile", image: builds.base.pinned },
      ],
    });
  });

  test("a RUN line has the secret that it mounts, which no log shows, and reads nothing of the other processes of its pod", async () => {
    const look =
      "for p in /proc/[0-9]*; do echo sees $(cat $p/comm); cat $p/environ 2> /dev/null || :; ls $p/root/slipway $p/root/buildkit 2> /dev/null || :; done; echo looked";
    const pushed = await repositoryOf(
      `FROM ${from()}\nRUN --mount=type=secret,id=NPM_TOKEN cat /run/secrets/NPM_TOKEN > /got; cat /got\nRUN ${look}\n`,
      "{ needs: [compile], uses: dockerfile, network: registries, secrets: [NPM_TOKEN] }",
    );
    const value = "a-token-of-some-length-7f3a";
    await builds.platform.fetch(`/api/v1/repositories/${pushed.service}/secrets/NPM_TOKEN`, {
      ...{ method: "PUT", as: "deployer", body: { value } },
    });

    const build = await built(pushed);

    expect(build, build.log).toMatchObject({ status: "SUCCEEDED" });
    expect(build.log).toMatch(/^container \| #\d+ [\d.]+ \*+$/m);
    expect(build.log).not.toContain(value);
    expect(build.log).toMatch(/ sees buildkitd\n[\s\S]* looked\n/);
    expect(build.log).not.toMatch(/SLIPWAY_STEP_KEY|BUILD_SECRET_|buildkitd\.toml|step-runner\.mjs/);
  });

  test("what is wrong in a Dockerfile, or with what it names, is the build's reason, with its line", async () => {
    const unknown = await built(await repositoryOf("FROM scratch\nCOPY out/hello /\nRUNN x\n"));
    const failing = await built(await repositoryOf(`FROM ${from()}\nRUN echo before; false\n`));
    const missing = await built(await repositoryOf(`FROM ${from().replace(":1", ":2")}\n`));

    expect(unknown.reason, unknown.log).toBe(
      "step container: Dockerfile:3: unknown instruction: RUNN (did you mean RUN?)",
    );
    expect(failing.reason, failing.log).toMatch(
      /^step container: Dockerfile:2: process .* did not complete .*: exit code: 1$/,
    );
    expect(failing.log).toMatch(/container \| .* before\n/);
    expect(missing.reason, missing.log).toMatch(
      /^step container: Dockerfile:1: .*\/base:2: .*not found; check its name and tag$/,
    );
  });

  test("a build that hangs ends at its time, and one whose image is too large is told what it may have", async () => {
    const hangs = await built(
      await repositoryOf(
        `FROM ${from()}\nRUN echo begun; sleep 600\n`,
        "{ needs: [compile], uses: dockerfile, network: registries, timeout: 8s }",
      ),
    );
    const large = await built(await repositoryOf(`FROM ${from()}\nRUN head -c 80000000 /dev/urandom > /large\n`));

    expect(hangs.reason, hangs.log).toBe("step container: took longer than its timeout of 8s");
    expect(large.reason, large.log).toMatch(/^step container: .*more than 64 MiB/);
    const jobs = `/apis/batch/v1/namespaces/${imageBuildsNamespace}/jobs`;
    await until(async () => ((await builds.cluster.real.api("GET", jobs)) as { items: unknown[] }).items.length === 0, {
      what: "the Jobs of ended builds to be gone",
    });
  });

  test("where the pod may not have what BuildKit needs, the build says what that is", async () => {
    builds.cluster.builder?.forbidEscalation(true);
    const held = await built(await repositoryOf("FROM scratch\nCOPY out/hello /\n"));
    builds.cluster.builder?.forbidEscalation(false);
    const level = (to: string) =>
      builds.cluster.real.kubectl([
        "label",
        "namespace",
        imageBuildsNamespace,
        "--overwrite",
        `pod-security.kubernetes.io/enforce=${to}`,
      ]);
    await level("baseline");
    const refused = await built(await repositoryOf("FROM scratch\nCOPY out/hello /\n"));
    await level("privileged");

    expect(held.reason, held.log).toMatch(/^step container: BuildKit did not start \(.*uid_map.*SETUID and SETGID/);
    expect(refused.reason, refused.log).toMatch(
      /^step container: the namespace slipway-image-builds does not take the step's pod: .*violates PodSecurity "baseline.*needs a namespace under Pod Security `privileged`/,
    );
  });

  test("the policy of that namespace takes no pod that wants more than BuildKit's, whoever asks", async () => {
    const security = {
      ...{ allowPrivilegeEscalation: true, capabilities: { drop: ["ALL"], add: ["SETUID"] } },
      seccompProfile: { type: "Unconfined" },
    };
    const pod = (spec: object = {}, container: object = {}) => ({
      ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "asked" } },
      spec: {
        ...{ automountServiceAccountToken: false, securityContext: { runAsUser: 1_000, runAsNonRoot: true } },
        containers: [{ name: "step", image: builderImage, securityContext: security, ...container }],
        ...spec,
      },
    });
    const ask = (body: object) =>
      builds.cluster.real.api("POST", `/api/v1/namespaces/${imageBuildsNamespace}/pods?dryRun=All`, body);
    const more = (changed: object) => pod({}, { securityContext: { ...security, ...changed } });
    const refused: readonly (readonly [object, RegExp])[] = [
      [pod({ hostNetwork: true }), /nothing of their node/],
      [pod({ automountServiceAccountToken: true }), /no token/],
      [pod({ volumes: [{ name: "host", hostPath: { path: "/" } }] }), /no volume but emptyDir/],
      [pod({ securityContext: { runAsUser: 0 } }), /run as 1000/],
      [more({ runAsUser: 0 }), /run as 1000/],
      [more({ capabilities: { add: ["SETUID"] } }), /not privileged/],
      [more({ capabilities: { drop: ["ALL"], add: ["SYS_ADMIN"] } }), /no capability but SETGID and SETUID/],
      [pod({}, { image: "docker.io/library/miner:1" }), /BuildKit and the step runner alone/],
    ];

    await ask(pod());
    for (const [body, why] of refused) await expect(ask(body), String(why)).rejects.toThrow(why);
  });

  test("after kill -9 of the service BuildKit goes on, and no line of its output is told twice", async () => {
    const place = await servedPlace({ SLIPWAY_EXECUTOR: builds.executorUrl });
    let service = await place.start();
    const repository = await testRepository(place.folder, "killed", false);
    const lines = Array.from({ length: 30 }, (_, at) => at + 1);
    const script = "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i.; sleep 0.2; done";
    const file =
      "version: 1\nservice: killed\npipeline:\n  container: { uses: dockerfile, network: registries, cache: { key: [Dockerfile] } }\nimage: { from: container }\n";
    const dockerfile = `FROM ${from()}\nRUN ${script}\n`;
    const sha = await repository.commit({ "slipway.yaml": file, Dockerfile: dockerfile });
    const id = await service.push("killed", { url: repository.url, sha });
    await until(async () => (await service.log(id)).includes("line 5."), { what: "line 5", timeoutMs: 60_000 });

    await service.kill();
    service = await place.start();
    const build = await service.ended(id);

    const text = await service.log(id);
    expect(build, text).toMatchObject({ status: "SUCCEEDED" });
    expect(text).toMatch(/container \| goes on with its Job step-/);
    const said = [...text.matchAll(/^container \| #\d+ [\d.]+ line (\d+)\.$/gm)].map(([, number]) => Number(number));
    expect(said).toEqual(lines);
    expect(text.match(/container \| cache: kept /g)).toHaveLength(1);
    await place.close();
  });
});

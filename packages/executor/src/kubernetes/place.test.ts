import { expect, test } from "vitest";
import { readKubernetesUrl } from "./place.ts";

test("a kubeconfig, or the pod's own account; what is not said has a default", () => {
  expect(readKubernetesUrl("kubernetes:///etc/slipway/builds.yaml?context=prod&image=host/runner:1")).toEqual({
    ...{ kubeconfig: "/etc/slipway/builds.yaml", context: "prod", namespace: "slipway-builds", image: "host/runner:1" },
    ...{ nodeSelector: undefined, tolerations: undefined, runtimeClass: undefined },
    ...{ pullSecret: undefined, cpus: 2, memoryMiB: 1_024, diskMiB: 4_096, startSeconds: 600, builder: undefined },
  });
  expect(
    readKubernetesUrl(
      "kubernetes:?namespace=ci&image=host%2Fr%3A1&cpus=0.5&memory_mib=64&disk_mib=9&start_seconds=5&pull_secret=pull&node_selector=pool%3Dbuilds,a.example%2Fdisk%3Dssd&runtime_class=gvisor",
    ),
  ).toMatchObject({
    ...{ kubeconfig: undefined, context: undefined, namespace: "ci", image: "host/r:1", pullSecret: "pull" },
    ...{ cpus: 0.5, memoryMiB: 64, diskMiB: 9, startSeconds: 5 },
    ...{ nodeSelector: { pool: "builds", "a.example/disk": "ssd" }, runtimeClass: "gvisor" },
  });
});

test("tolerations are those of Kubernetes, as JSON", () => {
  const tolerations = [
    { key: "pool", operator: "Equal", value: "builds", effect: "NoSchedule" },
    { operator: "Exists", effect: "NoExecute", tolerationSeconds: 60 },
  ] as const;

  const url = `kubernetes:?image=i&tolerations=${encodeURIComponent(JSON.stringify(tolerations))}`;
  expect(readKubernetesUrl(url).tolerations).toEqual(tolerations);
});

test("Dockerfiles are built only by a BuildKit that is named by its digest, in a namespace of its own", () => {
  const image = `docker.io/moby/buildkit@sha256:${"a".repeat(64)}`;
  const read = (query: string) => readKubernetesUrl(`kubernetes:?image=i&${query}`).builder;

  expect(read(`buildkit_image=${image}`)).toEqual({ namespace: "slipway-image-builds", image });
  expect(read(`buildkit_image=${image}&buildkit_namespace=images`)).toEqual({ namespace: "images", image });
  expect(() => read("buildkit_image=moby/buildkit:rootless")).toThrow(
    /buildkit_image: names rootless BuildKit by its digest/,
  );
  expect(() => read(`buildkit_image=${image}&buildkit_namespace=slipway-builds`)).toThrow(/that of the steps/);
});

test.each([
  ["kubernetes:///x", /^image: names the image with the runner, e\.g\. registry/],
  ["kubernetes:///x?image=", /^image: names the image with the runner/],
  ["kubernetes:///x?image=i&namespace=Not+One", /namespace: is no name of a namespace/],
  ["kubernetes:///x?image=i&memory_mb=1", /^unknown key "memory_mb", did you mean "memory_mib"\?/],
  ["kubernetes:///x?image=i&cpus=none", /^cpus: must be a number$/],
  ["kubernetes:///x?image=i&cpus=0", /^cpus: must be more than 0$/],
  ["kubernetes:///x?image=i&memory_mib=0.5", /^memory_mib: must be a whole number$/],
  ["kubernetes:///x?image=i&node_selector=builds", /node_selector.*: names labels of nodes, e\.g\. pool=builds/],
  ["kubernetes:///x?image=i&tolerations=pool%3Dbuilds", /tolerations: is a list of tolerations in JSON/],
  ['kubernetes:///x?image=i&tolerations=[{"kye":"pool"}]', /tolerations.*"kye"/],
  ["kubernetes:///x?image=i&runtime_class=g+v", /runtime_class: is no name of a RuntimeClass/],
  ["kubernetes://host/x?image=i", /kubernetes:\/\/\/path/],
])("%s is refused and says why", (url, why) => {
  expect(() => readKubernetesUrl(url)).toThrow(why);
});

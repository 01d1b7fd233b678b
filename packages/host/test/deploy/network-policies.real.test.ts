import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realPart } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { calledBy, worksWith } from "./calls.ts";
import { type Rendered, renderChart } from "./helm.ts";
import { allows, type Party, policiesOf } from "./reach.ts";
import { readYaml, root, servicesOfTree } from "./tree.ts";

const part = realPart("helm");
const chart = "deploy/helm/slipway";
const release = "slipway";
const services = [...servicesOfTree().keys()];
const Ports = z.looseObject({ ports: z.array(z.number()) });
const values = z
  .looseObject({ networkPolicy: z.record(z.string(), z.unknown()) })
  .parse(readYaml(`${chart}/values.yaml`)).networkPolicy;
const portsOf = (what: string): readonly number[] => Ports.parse(values[what]).ports;
const portsOrNone = (what: string): readonly number[] => Ports.safeParse(values[what]).data?.ports ?? [];
const sorted = (ports: readonly number[]) => [...new Set(ports)].sort((a, b) => a - b);

describe.skipIf(part === undefined)("the chart's network policies", () => {
  let folder: string;
  let objects: readonly Rendered[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "slipway-policies-"));
    objects = await render();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const render = (...args: string[]) => renderChart(part!, folder, join(root, chart), ...args);
  /** The pod of a Deployment or Job, by the labels that it is given. */
  const podOf = (name: string, from = objects): Party => {
    const found = from.find(
      ({ kind, metadata }) => (kind === "Deployment" || kind === "Job") && metadata.name === `${release}-${name}`,
    );
    const { template } = z
      .looseObject({
        template: z.looseObject({ metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }) }),
      })
      .parse(found?.spec);
    return { kind: "pod", namespace: release, labels: template.metadata.labels };
  };
  const stranger = (namespace: string): Party => ({ kind: "pod", namespace, labels: { app: "stranger" } });
  const outside: Party = { kind: "address", ip: "203.0.113.7" };
  const cloudMetadata: Party = { kind: "address", ip: "169.254.169.254" };

  test("let each service call those that its sources call, and no other", () => {
    const policies = policiesOf(objects, release);
    for (const from of services) {
      const reached = services.filter((to) => to !== from && allows(policies, podOf(from), podOf(to), 7400));
      expect([from, reached]).toEqual([from, services.filter((to) => calledBy(from).has(to))]);
    }
    expect([...calledBy("deployment-orchestrator")].sort()).toEqual(["artifact-registry", "rollback-controller"]);
  });

  test("let in the ingress controller and who reads metrics, and nobody else", () => {
    const policies = policiesOf(objects, release);
    const everybody: readonly (readonly [Party, boolean])[] = [
      [stranger("ingress-nginx"), true],
      [stranger("monitoring"), true],
      [stranger("default"), false],
      [stranger(release), false],
      [podOf("prepare"), false],
      [outside, false],
    ];
    for (const service of services) {
      const own = podOf(service);
      for (const [from, may] of everybody)
        expect([service, from, allows(policies, from, own, 7400)]).toEqual([service, from, may]);
      expect(allows(policies, stranger("ingress-nginx"), own, 9229)).toBe(false);
    }
    expect(services.map((name) => allows(policies, outside, podOf(name), 7400))).not.toContain(true);
    expect(allows(policies, stranger("ingress-nginx"), podOf("prepare"), 7400)).toBe(false);
  });

  test("let nobody in where nobody is named", async () => {
    const none = await render("--set-json", 'networkPolicy={"ingressFrom":[],"metricsFrom":[]}');

    for (const service of services) {
      const may = (from: Party) => allows(policiesOf(none, release), from, podOf(service, none), 7400);
      expect([service, may(stranger("default")), may(stranger("ingress-nginx"))]).toEqual([service, false, false]);
    }
  });

  test("let each service out to the backends that it works with, by their ports, and to nothing else", () => {
    const policies = policiesOf(objects, release);
    const every = [...new Set([...Object.keys(values).flatMap(portsOrNone), 80, 8080, 7400, 3000, 27017])];
    for (const service of services) {
      const needed = [53, ...["database", "bus", ...worksWith(service)].flatMap(portsOf)];
      const open = [53, ...every].filter((port) => allows(policies, podOf(service), outside, port));
      expect([service, sorted(open)]).toEqual([service, sorted(needed)]);
    }
    const ofPrepare = every.filter((port) => allows(policies, podOf("prepare"), outside, port));
    expect(ofPrepare).toEqual(portsOf("database"));
    // What a repository's address could be made to ask: the credentials of the node.
    expect(allows(policies, podOf("build-service"), cloudMetadata, 80)).toBe(false);
  });

  test("let the build-service reach its steps' pods, and those nobody, where steps are Jobs", async () => {
    const jobs = await render("--set", "builds.executor=kubernetes");
    const policies = policiesOf(jobs, release);
    const labels = { "app.kubernetes.io/managed-by": "slipway", "app.kubernetes.io/component": "build-step" };
    const step = (network: string): Party => ({
      ...{ kind: "pod", namespace: "slipway-builds" },
      labels: { ...labels, "slipway.dev/network": network },
    });
    const builder = podOf("build-service", jobs);

    for (const network of ["none", "registries", "full"]) {
      const callers = services.filter((name) => allows(policies, podOf(name, jobs), step(network), 7451));
      expect([network, callers]).toEqual([network, ["build-service"]]);
      for (const to of [builder, podOf("deployment-orchestrator", jobs), cloudMetadata])
        for (const port of [7400, 443, 80]) expect(allows(policies, step(network), to, port)).toBe(false);
      expect([network, allows(policies, step(network), outside, 443)]).toEqual([network, network === "full"]);
    }
    for (const port of portsOf("kubernetes")) expect(allows(policies, builder, outside, port)).toBe(true);
  });
});

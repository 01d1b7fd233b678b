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
  const nodeLocalDns: Party = { kind: "address", ip: "169.254.20.10" };
  const steps = { "app.kubernetes.io/managed-by": "slipway", "app.kubernetes.io/component": "build-step" };
  const stepWith = (network: string): Party => ({
    ...{ kind: "pod", namespace: "slipway-builds" },
    labels: { ...steps, "slipway.dev/network": network },
  });

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
      const needed = ["database", "bus", ...worksWith(service)].flatMap(portsOf);
      const open = every.filter((port) => allows(policies, podOf(service), outside, port));
      expect([service, sorted(open)]).toEqual([service, sorted(needed)]);
    }
    const ofPrepare = every.filter((port) => allows(policies, podOf("prepare"), outside, port));
    expect(ofPrepare).toEqual(portsOf("database"));
    expect(every).toContain(53);
    // What a repository's address could be made to ask: the credentials of the node.
    expect(allows(policies, podOf("build-service"), cloudMetadata, 80)).toBe(false);
  });

  test("let the orchestrator out to a Redis for views of its own only where one is named", async () => {
    const ports = ["--set-json", "networkPolicy.cache.ports=[6390]"];
    const named = await render(...ports, "--set", "urlKeys.cache=cache-url");
    const unnamed = await render(...ports);

    const reaches = (from: string, all: readonly Rendered[]) =>
      allows(policiesOf(all, release), podOf(from, all), outside, 6390);
    expect(services.filter((name) => reaches(name, named))).toEqual(["deployment-orchestrator"]);
    expect(services.filter((name) => reaches(name, unnamed))).toEqual([]);
  });

  test("let names be asked of the cluster's DNS alone, and of nobody where a step may go nowhere", async () => {
    const jobs = await render("--set", "builds.executor=kubernetes");
    const mirrors = await render(
      ...[
        "--set",
        "builds.executor=kubernetes",
        "--set-json",
        'networkPolicy.dns.to=[{"ipBlock":{"cidr":"10.0.0.53/32"}}]',
      ],
      ...["--set-json", 'builds.kubernetes.registries.to=[{"ipBlock":{"cidr":"198.51.100.0/24"}}]'],
    );
    const own: Party = { kind: "address", ip: "10.0.0.53" };
    const full = stepWith("full");
    const asks = (from: Party, to: Party, all = jobs) => allows(policiesOf(all, release), from, to, 53);

    for (const from of [...services.map((name) => podOf(name, jobs)), podOf("prepare", jobs), full]) {
      expect([from, asks(from, stranger("kube-system")), asks(from, nodeLocalDns)]).toEqual([from, true, true]);
      // A step that may go everywhere may ask there, too.
      expect([from, asks(from, outside), asks(from, stranger("default"))]).toEqual([from, from === full, false]);
      expect([from, asks(from, own, mirrors), asks(from, stranger("kube-system"), mirrors)]).toEqual([
        from,
        true,
        false,
      ]);
    }
    for (const network of ["registries", "none"])
      for (const to of [stranger("kube-system"), nodeLocalDns, outside])
        expect([network, asks(stepWith(network), to)]).toEqual([network, false]);
    expect([asks(stepWith("registries"), own, mirrors), asks(stepWith("registries"), outside, mirrors)]).toEqual([
      true,
      false,
    ]);
  });

  test("hold the job that prepares before anything else of the chart is there", () => {
    const policy = objects.find((one) => one.kind === "NetworkPolicy" && one.metadata.name === `${release}-prepare`);
    const alone = policiesOf(policy === undefined ? [] : [policy], release);

    expect(policy?.metadata.annotations).toMatchObject({ "helm.sh/hook": "pre-install,pre-upgrade" });
    expect(Number(policy?.metadata.annotations?.["helm.sh/hook-weight"])).toBeLessThan(0);
    expect(allows(alone, podOf("prepare"), stranger("kube-system"), 53)).toBe(true);
    for (const port of portsOf("database")) expect(allows(alone, podOf("prepare"), outside, port)).toBe(true);
    expect(allows(alone, podOf("prepare"), outside, 443)).toBe(false);
    expect(allows(alone, stranger(release), podOf("prepare"), 7400)).toBe(false);
  });

  test("let the build-service reach its steps' pods, and those nobody, where steps are Jobs", async () => {
    const jobs = await render("--set", "builds.executor=kubernetes");
    const policies = policiesOf(jobs, release);
    const builder = podOf("build-service", jobs);

    for (const network of ["none", "registries", "full"]) {
      const callers = services.filter((name) => allows(policies, podOf(name, jobs), stepWith(network), 7451));
      expect([network, callers]).toEqual([network, ["build-service"]]);
      for (const to of [builder, podOf("deployment-orchestrator", jobs), cloudMetadata])
        for (const port of [7400, 443, 80]) expect(allows(policies, stepWith(network), to, port)).toBe(false);
      expect([network, allows(policies, stepWith(network), outside, 443)]).toEqual([network, network === "full"]);
    }
    // What providers keep for themselves and for nodes (RFC 6598), as little as what is private.
    for (const ip of ["10.1.2.3", "100.64.0.1", "100.127.255.1", "169.254.169.254", "172.16.0.1", "192.168.1.1"])
      expect([ip, allows(policies, stepWith("full"), { kind: "address", ip }, 443)]).toEqual([ip, false]);
    for (const port of portsOf("kubernetes")) expect(allows(policies, builder, outside, port)).toBe(true);
  });
});

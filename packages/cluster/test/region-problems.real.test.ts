import type { RegionName } from "@slipway/kernel";
import { type RealRegion, realPart, regionAccounts, regionManifests, startRegion, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRegion, type RegionAccount, regionProblems, type Target, type WorkloadManifest } from "../src/index.ts";
import { grant } from "./support/fence-world.ts";
import { silent } from "./support/silent.ts";

const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];

describe.skipIf(!(etcd && kubernetes && crds))("what a real API server lacks", () => {
  let real: RealRegion;
  beforeAll(async () => {
    real = await startRegion({ etcd: etcd!, kubernetes: kubernetes! });
  });
  afterAll(() => real?.stop());

  const problemsOf = async (token: string, account?: RegionAccount) =>
    regionProblems(
      { name: "here" as RegionName, kubeconfig: await real.kubeconfigWith(token), context: real.context },
      ["prod"],
      account,
    );

  test("is Istio, then deploy/regions, then the rights of the account, and at last nothing", async () => {
    const nobody = () => real.tokenOf({ namespace: "default", name: "default" });
    expect(await problemsOf(await nobody())).toEqual([
      expect.stringMatching(/^region here: it has no Istio .*install Istio/),
      expect.stringMatching(/may not write VirtualServices: kubectl apply -f deploy\/regions/),
    ]);

    await real.kubectl(["apply", "--server-side", "-f", crds!.program]);
    await real.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    await real.kubectl(["apply", "-f", regionManifests]);
    expect(await problemsOf(await nobody())).toEqual([expect.stringMatching(/may not write VirtualServices/)]);

    const { orchestrator, rollbackController } = regionAccounts;
    const well = async (account: typeof orchestrator | typeof rollbackController) =>
      (await problemsOf(await real.tokenOf(account), account.name)).length === 0;
    for (const account of [orchestrator, rollbackController])
      await until(() => well(account), { what: `${account.name} may do all it needs`, timeoutMs: 60_000 });
    expect(await problemsOf(await real.tokenOf(orchestrator), "rollback-controller")).toEqual([
      expect.stringMatching(/may do more than lower there: give it a kubeconfig of its own/),
    ]);
    expect(await problemsOf(await real.tokenOf(rollbackController), "orchestrator")).toEqual([
      expect.stringMatching(/may not make Deployments: kubectl apply -f deploy\/regions/),
    ]);

    // With the very rights, and as somebody whom no policy knows.
    const { namespace, ...cloud } = { namespace: "default", name: "cloud" };
    await real.kubectl(["create", "serviceaccount", cloud.name, "-n", namespace]);
    for (const account of [rollbackController, orchestrator]) {
      const bound = [`--clusterrole=slipway-${account.name}`, `--serviceaccount=${namespace}:${cloud.name}`];
      await real.kubectl(["create", "clusterrolebinding", account.name, ...bound]);
      const held = async () => problemsOf(await real.tokenOf({ namespace, ...cloud }), account.name);
      const [problem] = await until(async () => ((await held()).length > 0 ? await held() : undefined), {
        what: "somebody is found whom no policy holds",
      });
      expect(problem).toMatch(
        new RegExp(
          `no policy holds this account .*service account ${account.name}, or an identity of the group slipway:${account.name}$`,
        ),
      );
    }

    expect(await problemsOf("nobody's")).toEqual([expect.stringMatching(/refuses the credentials/)]);
    const labels = "istio.io/dataplane-mode=ambient";
    await real.kubectl(["create", "namespace", "prod"]);
    await real.kubectl(["label", "namespace", "prod", labels, "app.kubernetes.io/managed-by=slipway"]);
    expect(await problemsOf(await real.tokenOf(orchestrator))).toEqual([
      expect.stringMatching(/prod is in ambient mode/),
    ]);
  });

  test.each([
    ["3-policies.yaml", ["slipway-environments"], [regionAccounts.orchestrator, regionAccounts.rollbackController]],
    ["4-rollback-only-lowers.yaml", ["slipway-rollback-only-lowers"], [regionAccounts.rollbackController]],
    ["5-rollback-makes-little.yaml", ["slipway-rollback-makes-little"], [regionAccounts.rollbackController]],
  ] as const)("is %s by its name, where that one file is missing", async (file, names, accounts) => {
    await fenced();
    const found = async (account: (typeof accounts)[number]) =>
      (await problemsOf(await real.tokenOf(account), account.name)).filter((one) => /no policy/.test(one));
    const holds = async () => (await Promise.all(accounts.map(found))).flat().length === 0;
    await until(holds, { what: "all policies to hold", timeoutMs: 60_000 });
    for (const name of names) await real.kubectl(["delete", "validatingadmissionpolicybinding", name]);

    const isMissing = async () => (await Promise.all(accounts.map(found))).every((own) => own.length === 1);
    await until(isMissing, { what: "the missing policy to be found", timeoutMs: 60_000 });
    const [problem] = await found(regionAccounts.rollbackController);

    expect(problem).toContain(`no policy of ${file} holds this account to what it may write there`);
    await real.kubectl(["apply", "-f", regionManifests]);
  });

  /** A VirtualService as a deployment leaves it, in a namespace of Slipway. */
  const fenced = async () => {
    const kubeconfig = await real.kubeconfigWith(await real.tokenOf(regionAccounts.orchestrator));
    const region = await openRegion({ name: "here" as RegionName, kubeconfig, context: real.context, log: silent });
    const target = { environment: "fenced", service: "orders" } as unknown as Target;
    await region.ensureWorkload(target, { ...orders, environment: target.environment }, grant(1));
    await region.openFence(target, { ...grant(1), baseline: null });
    await region.close();
  };

  test("is the policies, where somebody gave the accounts their rights and no more", async () => {
    const policies = ["validatingadmissionpolicies,validatingadmissionpolicybindings", "--all"];
    await real.kubectl(["delete", ...policies]);

    for (const account of [regionAccounts.orchestrator, regionAccounts.rollbackController]) {
      const found = async () => problemsOf(await real.tokenOf(account), account.name);
      const [problem] = await until(
        async () => ((await found()).some(isOpen) ? (await found()).filter(isOpen) : undefined),
        {
          what: "the policies are gone",
          timeoutMs: 60_000,
        },
      );
      expect(problem).toContain(`kubectl apply -f deploy/regions, and use its service account ${account.name}`);
    }
  });

  const isOpen = (problem: string) => problem.includes("no policy holds this account");

  test("is the Secret with which nodes pull images, until it is made; every pod is then given it", async () => {
    const kubeconfig = await real.kubeconfigWith(await real.tokenOf(regionAccounts.orchestrator));
    const access = { name: "here" as RegionName, kubeconfig, context: real.context };
    const target = { environment: "pulls", service: "orders" } as unknown as Target;
    const missing = () => regionProblems({ ...access, pull_secret: "slipway-pull" }, [target.environment]);
    const region = await openRegion({ ...access, pullSecret: "slipway-pull", log: silent });

    expect(await missing()).toEqual([]);
    expect(await region.ensureWorkload(target, orders, grant(1))).toEqual({
      kind: "done",
    });
    const [sentence = ""] = await missing();
    expect(sentence).toMatch(/namespace pulls has no Secret slipway-pull/);

    // As the sentence says it.
    const [, command = ""] = /: kubectl (create secret .*)$/.exec(sentence) ?? [];
    await real.kubectl(command.split(" "));
    expect(await missing()).toEqual([]);
    const path = `/apis/apps/v1/namespaces/${target.environment}/deployments/${orders.name}`;
    expect(await real.api("GET", path)).toMatchObject({
      spec: { template: { spec: { imagePullSecrets: [{ name: "slipway-pull" }] } } },
    });
    await region.close();
  });

  test("is an Istio that heeds the namespaces, which the region's revision is for, and one that exists is told how", async () => {
    const { orchestrator, rollbackController } = regionAccounts;
    const as = async (account: typeof orchestrator | typeof rollbackController) => ({
      name: "here" as RegionName,
      kubeconfig: await real.kubeconfigWith(await real.tokenOf(account)),
      context: real.context,
    });
    const access = await as(orchestrator);
    const istio_revision = "asm-1-27";
    await real.api("POST", webhooks, onlyOf(istio_revision));
    await real.kubectl(["create", "namespace", "before"]);
    await real.kubectl([
      "label",
      "namespace",
      "before",
      "app.kubernetes.io/managed-by=slipway",
      "istio-injection=enabled",
    ]);

    const [future, before = ""] = await regionProblems(access, ["later", "before", "later-still"]);
    expect(future).toMatch(
      /namespaces that Slipway makes there get no sidecars, since no webhook of Istio heeds istio-injection=enabled \(they heed istio\.io\/rev=asm-1-27\): name the revision .* istio_revision in the regions file$/,
    );
    expect(await regionProblems({ ...access, istio_revision }, ["later", "later-still"])).toEqual([]);

    // As the sentence says it.
    const [, command = ""] = /: kubectl (label .*), and start its pods anew$/.exec(before) ?? [];
    await real.kubectl(command.split(" "));
    expect(await regionProblems({ ...access, istio_revision }, ["before"])).toEqual([]);

    // Whoever is first makes the namespace: the account that lowers may, too.
    for (const [environment, account] of [
      ["later", orchestrator],
      ["later-still", rollbackController],
    ] as const) {
      const region = await openRegion({ ...(await as(account)), istioRevision: istio_revision, log: silent });
      const target = { environment, service: "orders" } as unknown as Target;
      if (account === orchestrator) await region.openFence(target, { ...grant(1), baseline: null });
      else await region.lower(target, { ...grant(1), baseline: null, canary: orders.name });
      const made = (await real.api("GET", `/api/v1/namespaces/${environment}`)) as { metadata: { labels: object } };
      expect(made.metadata.labels).toMatchObject({ "istio.io/rev": istio_revision });
      expect(made.metadata.labels).not.toHaveProperty("istio-injection");
      await region.close();
    }
    await real.api("DELETE", `${webhooks}/istio-sidecar-injector`);
  });
});

const webhooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/** Istio's injector as it is installed by a revision and without a tag. Nothing answers it, and nothing waits for it. */
function onlyOf(revision: string): object {
  const namespaceSelector = {
    matchExpressions: [
      { key: "istio.io/rev", operator: "In", values: [revision] },
      { key: "istio-injection", operator: "DoesNotExist" },
    ],
  };
  const webhook = {
    ...{ name: "rev.namespace.sidecar-injector.istio.io", namespaceSelector, failurePolicy: "Ignore" },
    clientConfig: { url: "https://127.0.0.1:1/inject" },
    rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
    ...{ sideEffects: "None", admissionReviewVersions: ["v1"], timeoutSeconds: 1 },
  };
  return {
    ...{ apiVersion: "admissionregistration.k8s.io/v1", kind: "MutatingWebhookConfiguration" },
    ...{ metadata: { name: "istio-sidecar-injector" }, webhooks: [webhook] },
  };
}

const orders = {
  ...{ name: "orders-1111111-aaaaa", service: "orders", environment: "pulls", replicas: 0, env: {} },
  image: `registry.example/orders@sha256:${"1".repeat(64)}`,
  ...{ ready: { path: "/", timeoutMs: 30_000 }, resources: { cpu: "50m", memory: "32Mi" } },
  ...{ graceMs: 1_000, annotations: {} },
} as unknown as WorkloadManifest;

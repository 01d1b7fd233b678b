import { readFileSync } from "node:fs";
import { join } from "node:path";
import { regionManifestFiles, regionManifests } from "@slipway/testkit";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";

/**
 * What the accounts of a region may, word for word: a verb that is added there is added here, by somebody who can say which call of this package needs
 * it. That none is missing is shown by the contract suite, which runs with these accounts on a real API server.
 */
const istio = "networking.istio.io";
const needed = {
  "slipway-orchestrator": {
    // An environment is made at its first deployment.
    "/namespaces": ["get", "create"],
    // Of the base and of each version, which goes when it is retired.
    "/services": ["get", "create", "patch", "delete"],
    // Why one is not ready, and what it prints; pods come and go by their Deployment alone.
    "/pods": ["get", "list"],
    "/pods/log": ["get"],
    "discovery.k8s.io/endpointslices": ["list"],
    "apps/deployments": ["get", "list", "create", "patch", "delete"],
    // Routes outlive every version.
    [`${istio}/virtualservices`]: ["get", "list", "watch", "create", "patch"],
    [`${istio}/destinationrules`]: ["get", "create", "patch", "delete"],
    // Whether any of Istio's heeds the labels of a namespace.
    "admissionregistration.k8s.io/mutatingwebhookconfigurations": ["list"],
  },
  // By name alone: none is listed.
  "slipway-orchestrator-secrets": { "/secrets": ["get", "create", "patch", "delete"] },
  "slipway-rollback-controller": {
    // A lowering where nothing stands leaves a fence that is shut.
    "/namespaces": ["get", "create"],
    // The base Service is turned to its baseline.
    "/services": ["get", "patch"],
    [`${istio}/virtualservices`]: ["get", "list", "watch", "create", "patch"],
  },
};
const accounts = {
  "slipway-orchestrator": "orchestrator",
  "slipway-orchestrator-secrets": "orchestrator",
  "slipway-rollback-controller": "rollback-controller",
};

const Rule = z.strictObject({
  apiGroups: z.array(z.string()).length(1),
  resources: z.array(z.string()).length(1),
  verbs: z.array(z.string()),
});
const Metadata = z.looseObject({ name: z.string() });
const Role = z.strictObject({ apiVersion: z.string(), kind: z.string(), metadata: Metadata, rules: z.array(Rule) });
const RoleRef = z.strictObject({ apiGroup: z.string(), kind: z.literal("ClusterRole"), name: z.string() });
const Binding = z.strictObject({
  ...{ apiVersion: z.string(), kind: z.string(), metadata: Metadata },
  ...{ roleRef: RoleRef, subjects: z.array(z.record(z.string(), z.string())) },
});
const Anything = z.looseObject({ apiVersion: z.string(), kind: z.string() });

const objects = regionManifestFiles.flatMap((file) =>
  parseAllDocuments(readFileSync(join(regionManifests, file), "utf8")).map((each) => Anything.parse(each.toJS())),
);
const ofRbac = objects.filter(({ apiVersion }) => apiVersion.startsWith("rbac."));

test("the roles of a region hold what this package asks for, and not a verb more", () => {
  const roles = ofRbac.filter(({ kind }) => /Role$/.test(kind)).map((each) => Role.parse(each));
  const held = roles.map(({ kind, metadata, rules }) => [
    `${kind} ${metadata.name}`,
    rules.map(({ apiGroups, resources, verbs }) => [`${apiGroups[0]}/${resources[0]}`, verbs]),
  ]);

  expect(held).toEqual(Object.entries(needed).map(([name, rules]) => [`ClusterRole ${name}`, Object.entries(rules)]));
});

test("each role is bound to one account and its group, and to nobody else", () => {
  const bindings = ofRbac.filter(({ kind }) => !/Role$/.test(kind)).map((each) => Binding.parse(each));
  const group = { kind: "Group", apiGroup: "rbac.authorization.k8s.io" };

  expect(bindings.map(({ kind, roleRef, subjects }) => [kind, roleRef.name, subjects])).toEqual(
    Object.entries(accounts).map(([role, name]) => [
      ...["ClusterRoleBinding", role],
      [
        { kind: "ServiceAccount", name, namespace: "slipway-system" },
        { ...group, name: `slipway:${name}` },
      ],
    ]),
  );
});

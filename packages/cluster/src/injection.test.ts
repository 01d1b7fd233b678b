import { expect, test } from "vitest";
import { injectorsIn, sidecarLabel } from "./injection.ts";

const rev = "istio.io/rev";
const asked = "sidecar.istio.io/inject";
const isIn = (key: string, ...values: string[]) => ({ key, operator: "In", values });
const notIn = (key: string, ...values: string[]) => ({ key, operator: "NotIn", values });
const without = (key: string) => ({ key, operator: "DoesNotExist" });

/** The webhooks of one revision, as Istio 1.27's charts make them. `tag`: it stands for namespaces that name no revision. */
function webhooksOf(revision: string, tag = false) {
  const hook = (name: string, namespace: object[], object: object[]) => ({
    name: `${name}.sidecar-injector.istio.io`,
    namespaceSelector: { matchExpressions: namespace },
    objectSelector: { matchExpressions: object },
  });
  const webhooks = [
    hook("rev.namespace", [isIn(rev, revision), without("istio-injection")], [notIn(asked, "false")]),
    hook("rev.object", [without(rev), without("istio-injection")], [notIn(asked, "false"), isIn(rev, revision)]),
  ];
  const forAll = [
    hook("namespace", [isIn("istio-injection", "enabled")], [notIn(asked, "false")]),
    hook("object", [without("istio-injection"), without(rev)], [isIn(asked, "true"), without(rev)]),
  ];
  return {
    metadata: { name: `istio-sidecar-injector-${revision}` },
    webhooks: tag ? [...webhooks, ...forAll] : webhooks,
  };
}

test("where Istio stands for all namespaces the usual label is heeded, and so is a revision", () => {
  const injectors = injectorsIn({ items: [webhooksOf("default", true)] });

  expect(injectors?.heed(sidecarLabel(undefined))).toBe(true);
  expect(injectors?.heed({ [rev]: "default" })).toBe(true);
  expect(injectors?.heed({ [rev]: "1-27" })).toBe(false);
  expect(injectors?.heed({})).toBe(false);
});

test("where Istio was installed by a revision alone the usual label is heeded by nobody, even beside the revision", () => {
  const injectors = injectorsIn({ items: [webhooksOf("asm-1-27")] });

  expect(injectors?.revisions).toEqual(["asm-1-27"]);
  expect(injectors?.heed(sidecarLabel("asm-1-27"))).toBe(true);
  expect(injectors?.heed(sidecarLabel(undefined))).toBe(false);
  expect(injectors?.heed({ ...sidecarLabel(undefined), ...sidecarLabel("asm-1-27") })).toBe(false);
});

test("webhooks that were put out of work heed nobody", () => {
  const matchLabels = { "istio.io/deactivated": "never-match" };
  const off = webhooksOf("default", true).webhooks.map(({ name }) => ({
    ...{ name, namespaceSelector: { matchLabels }, objectSelector: { matchLabels } },
  }));

  expect(injectorsIn({ items: [{ webhooks: off }] })?.heed(sidecarLabel(undefined))).toBe(false);
});

test("where webhooks cannot be read, or none is Istio's, nothing is known", () => {
  expect(injectorsIn(undefined)).toBeUndefined();
  expect(injectorsIn({ items: [{ webhooks: [{ name: "pods.example.com" }] }, {}] })).toBeUndefined();
});

import { execFile, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { deployment, deploymentsPath, virtualService, virtualServices } from "./support/objects.ts";
import { temporaryFolder, testRegion } from "./support/region.ts";

/** Before 1.29 it asks for OpenAPI v2 alone, which a region does not have. */
const oldest = 29;
const found = spawnSync("kubectl", ["version", "--client", "-o", "json"], { encoding: "utf8" }).stdout ?? "";
const usable = Number(/"minor": "(\d+)/.exec(found)?.[1] ?? 0) >= oldest;
const run = promisify(execFile);

type Workload = ReturnType<typeof deployment>;
type Routes = ReturnType<typeof virtualService>;

/** A region, and kubectl against it as people use it. */
async function region() {
  const { send, kubeconfigPath } = await testRegion();
  const folder = await temporaryFolder();
  const args = ["--kubeconfig", kubeconfigPath, "--cache-dir", join(folder, "cache")];
  const kubectl = async (command: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    (await run("kubectl", [...args, ...command], { timeout: 90_000, env: { ...process.env, ...env } })).stdout;
  const apply = async (object: object, ...more: readonly string[]) => {
    const file = join(folder, "object.json");
    await writeFile(file, JSON.stringify(object));
    return kubectl(["apply", "-f", file, ...more]);
  };
  const edit = (what: readonly string[], change: string) =>
    kubectl(["edit", ...what], { KUBE_EDITOR: `sed -i '${change}'` });
  const routes = async () => (await send("GET", `${virtualServices}/orders`)).body as unknown as Routes;
  const containers = async () =>
    ((await send("GET", `${deploymentsPath}/orders`)).body as unknown as Workload).spec.template.spec.containers;
  return { send, kubectl, apply, edit, routes, containers };
}

describe.skipIf(!usable)(
  "kubectl, with its own validation (skipped where it is not installed, or older than 1.29)",
  () => {
    test("apply -f makes a VirtualService, changes it, and takes away what is no longer in the file", async () => {
      const { apply, routes } = await region();
      const name = "virtualservice.networking.istio.io/orders";
      const first = virtualService("orders", { a: 95, b: 5 }, { note: "mine" });

      expect(await apply(first)).toBe(`${name} created\n`);
      expect(await apply(first)).toBe(`${name} unchanged\n`);
      expect(await apply(virtualService("orders", { a: 100 }))).toBe(`${name} configured\n`);

      const { metadata, spec } = await routes();
      expect(spec.http[0]?.route).toEqual([{ destination: { host: "a" }, weight: 100 }]);
      expect(metadata.annotations).not.toHaveProperty("note");
    });

    test("apply -f of a Deployment changes one container of several, and takes a variable of it away", async () => {
      const { apply, containers } = await region();
      const made = deployment("orders", 1);
      const [main] = made.spec.template.spec.containers;
      const file = (image: string, env: readonly object[]) => {
        const spec = {
          containers: [
            { ...main, env },
            { name: "side", image },
          ],
        };
        return { ...made, spec: { ...made.spec, template: { ...made.spec.template, spec } } };
      };
      const [a, b] = ["A", "B"].map((name) => ({ name, value: "1" })) as [object, object];

      await apply(file("side:1", [a, b]));
      await apply(file("side:2", [b]));

      const after = await containers();
      expect(after).toMatchObject([{ name: main?.name }, { name: "side", image: "side:2" }]);
      expect(after[0]).toMatchObject({ env: [b] });
    });

    test("edit changes a VirtualService and a Deployment, and set image another one", async () => {
      const { send, kubectl, edit, routes, containers } = await region();
      await send("POST", virtualServices, virtualService("orders", { a: 95, b: 5 }));
      await send("POST", deploymentsPath, deployment("orders", 2));

      await edit(["virtualservice", "orders"], "s/weight: 95/weight: 90/");
      await edit(["deployment", "orders"], "s/image: .*/image: edited/");

      expect((await routes()).spec.http[0]?.route[0]).toEqual({ destination: { host: "a" }, weight: 90 });
      expect((await containers())[0]).toMatchObject({ image: "edited" });
      await kubectl(["set", "image", "deployment/orders", "*=changed:1"]);
      expect((await containers())[0]).toMatchObject({ image: "changed:1" });
    });

    test("what the region checks is refused in its words", async () => {
      const { apply } = await region();
      const { spec, ...rest } = virtualService("orders", { a: 100 });

      await expect(apply({ ...rest, spec: { ...spec, hosts: "orders" } })).rejects.toThrow(
        /spec\.hosts: Invalid value/,
      );
    });

    test("explain shows the fields that the region reads", async () => {
      const { kubectl } = await region();
      const explained = (what: string) => kubectl(["explain", what]);

      expect(await explained("virtualservice")).toMatch(
        /KIND: +VirtualService[\s\S]*as far as a local region[\s\S]*spec/,
      );
      expect(await explained("virtualservice.spec.http.route")).toMatch(/destination[\s\S]*weight\s+<integer>/);
      expect(await explained("deployment.spec")).toMatch(/replicas\s+<integer>/);
      expect(await explained("nodes")).toMatch(/VERSION: +v1/);
    });

    test("apply --server-side is refused, with what to do", async () => {
      const { apply } = await region();
      await apply(virtualService("orders", { a: 100 }));

      await expect(apply(virtualService("orders", { a: 90, b: 10 }), "--server-side")).rejects.toThrow(
        "use kubectl apply without --server-side",
      );
    });
  },
);

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { connect } from "@slipway/cluster";
import { type RealRegion, realPart, startRegion, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { renderChart } from "./helm.ts";
import { read, root } from "./tree.ts";

const helm = realPart("helm");
const etcd = realPart("etcd");
const kubernetes = realPart("kubernetes");
const run = promisify(execFile);
const account = { namespace: "slipway", name: "slipway-region-tokens" };
const secrets = { orchestrator: "slipway-regions", "rollback-controller": "slipway-rollback-regions" };
const Container = z.looseObject({ command: z.array(z.string()) });
const Pod = z.looseObject({ spec: z.looseObject({ containers: z.array(Container) }) });
const CronJob = z.looseObject({
  spec: z.looseObject({ jobTemplate: z.looseObject({ spec: z.looseObject({ template: Pod }) }) }),
});
const Data = z.object({ data: z.record(z.string(), z.string()) });

describe.skipIf(helm === undefined || etcd === undefined || kubernetes === undefined)(
  "the chart's job for tokens of regions, before a real API server",
  () => {
    let region: RealRegion;
    let folder: string;
    let command: readonly string[];
    beforeAll(async () => {
      if (helm === undefined || etcd === undefined || kubernetes === undefined) throw new Error("a part is missing");
      folder = mkdtempSync(join(tmpdir(), "slipway-tokens-"));
      region = await startRegion({ etcd, kubernetes });
      await region.kubectl(["create", "namespace", "slipway"]);
      for (const file of ["1-accounts.yaml", "renewal/token-renewer.yaml"])
        await region.kubectl(["apply", "-f", join(root, "deploy/regions", file)]);
      for (const name of [...Object.values(secrets), "slipway-tokens"])
        await region.kubectl([
          "create",
          "secret",
          "generic",
          name,
          "-n",
          "slipway",
          "--from-literal=regions.yaml=mine",
        ]);

      const values = ["regionTokens.enabled=true", "regionTokens.own=here", "regionTokens.renewersSecret=renewers"];
      const made = await renderChart(
        ...([helm, folder, join(root, "deploy/helm/slipway")] as const),
        ...["--show-only", "templates/regiontokens.yaml", ...values.flatMap((value) => ["--set", value])],
      );
      for (const object of made)
        await region.kubectl(
          ["apply", "-n", object.metadata.namespace ?? "slipway", "-f", "-"],
          JSON.stringify(object),
        );
      const cron = CronJob.parse(made.find(({ kind }) => kind === "CronJob"));
      const job = made.find(({ kind }) => kind === "Job");
      expect(job?.spec).toEqual(cron.spec.jobTemplate.spec);
      command = cron.spec.jobTemplate.spec.template.spec.containers[0]?.command ?? [];

      // What the pod finds.
      const program = Data.parse(await get("configmaps", account.name)).data["renew-region-tokens.mjs"] ?? "";
      writeFileSync(join(folder, "renew-region-tokens.mjs"), program);
      mkdirSync(join(folder, "renewers"));
      mkdirSync(join(folder, "account"));
      writeFileSync(join(folder, "account/ca.crt"), region.certificate.cert);
      writeFileSync(join(folder, "account/token"), await region.tokenOf(account));
      writeFileSync(join(folder, "renewers/there.json"), await renewer());
    });
    afterAll(async () => {
      await region?.stop();
      rmSync(folder, { recursive: true });
    });

    const get = async (kind: string, name: string): Promise<unknown> =>
      JSON.parse(await region.kubectl(["get", kind, name, "-n", "slipway", "-o", "json"]));
    const asked = () =>
      run("sh", [join(root, "deploy/regions/renewal/renewer.sh")], {
        env: {
          PATH: `${dirname(kubernetes!.program)}:${process.env.PATH}`,
          KUBECONFIG: region.kubeconfig,
          HOME: folder,
        },
      });
    /** As the region's administrator makes it, once the cluster has given the account its token. */
    const renewer = async () =>
      until(async () => (await asked().catch(() => undefined))?.stdout, {
        what: "the account token-renewer has a token",
      });
    /** As the pod does, whose folders are elsewhere here. */
    const renew = async () => {
      const here = command
        .slice(1)
        .map((word) =>
          word.replace("/etc/slipway/renewers", join(folder, "renewers")).replace("/etc/slipway/renew", folder),
        );
      const place = [`--api=https://127.0.0.1:${region.port}`, `--account=${join(folder, "account")}`];
      return run(process.execPath, [...here, ...place]);
    };
    /** As the guide has it, in a folder with the files that it names and with its namespace in use. */
    const added = async (name: string, regions: string, account = `account of ${name}`) => {
      const guide = read("docs/guides/operating.md");
      const [, lines = ""] =
        /^ *```sh\n((?: .*\n)*? *kubectl create secret generic slipway-renewers (?:.*\n)*?) *```$/m.exec(guide) ?? [];
      const here = mkdtempSync(join(folder, "added-"));
      writeFileSync(join(here, "regions.yaml"), regions);
      writeFileSync(join(here, `${name}.json`), account);
      writeFileSync(join(here, "kubeconfig"), readFileSync(region.kubeconfig));
      const PATH = `${dirname(kubernetes!.program)}:${process.env.PATH}`;
      const options = { cwd: here, env: { PATH, KUBECONFIG: join(here, "kubeconfig"), HOME: here } };
      await run("kubectl", ["config", "set-context", "--current", "--namespace", "slipway"], options);
      await run("sh", ["-euc", lines.replaceAll("us-east-1", name)], options);
    };
    const kubeconfigsOf = async (secret: string) => {
      const { data } = Data.parse(await get("secrets", secret));
      return Object.fromEntries(
        Object.entries(data).map(([key, text]) => [key, Buffer.from(text, "base64").toString()]),
      );
    };
    /** Whom the API server sees, by the client that the services have. */
    const whoIs = async (kubeconfig: string) => {
      const path = join(folder, "a.kubeconfig");
      writeFileSync(path, kubeconfig);
      const connection = await connect({ region: "here", kubeconfig: path, context: undefined, timeoutMs: 10_000 });
      const body = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
      const answer = await connection.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", { body });
      await connection.close();
      return z.object({ status: z.object({ userInfo: z.object({ username: z.string() }) }) }).parse(answer).status
        .userInfo.username;
    };

    test("writes kubeconfigs of both accounts, of this cluster and of another one, beside what is in their Secrets, and new ones each time", async () => {
      const { stdout } = await renew();
      const first = await kubeconfigsOf(secrets.orchestrator);

      for (const [name, secret] of Object.entries(secrets)) {
        const files = await kubeconfigsOf(secret);
        expect(Object.keys(files).sort()).toEqual(["here.kubeconfig", "regions.yaml", "there.kubeconfig"]);
        for (const where of ["here", "there"]) {
          expect(await whoIs(files[`${where}.kubeconfig`] ?? "")).toBe(`system:serviceaccount:slipway-system:${name}`);
          expect(files[`${where}.kubeconfig`]).toContain(`"current-context":"${where}"`);
          const [, until = ""] = new RegExp(`^${where}: ${name} has a token until (.*)$`, "m").exec(stdout) ?? [];
          expect(Date.parse(until) - Date.now()).toBeGreaterThan(3.9 * 3_600_000);
          expect(Date.parse(until) - Date.now()).toBeLessThan(4.1 * 3_600_000);
        }
      }
      expect(stdout).not.toContain("eyJ");
      await renew();
      expect((await kubeconfigsOf(secrets.orchestrator))["here.kubeconfig"]).not.toBe(first["here.kubeconfig"]);
    });

    test("a region is added by the lines of the guide, the first and each further one, and leaves what the job has written of others", async () => {
      const written = await kubeconfigsOf(secrets.orchestrator);
      const entries: string[] = [];
      for (const name of ["us-east-1", "eu-west-1"]) {
        entries.push(`- { name: ${name}, kubeconfig: ${name}.kubeconfig }`);
        await added(name, entries.join("\n"));
      }
      await added("us-east-1", entries.join("\n"), "another");

      for (const secret of Object.values(secrets))
        expect((await kubeconfigsOf(secret))["regions.yaml"]).toBe(entries.join("\n"));
      expect(await kubeconfigsOf(secrets.orchestrator)).toEqual({ ...written, "regions.yaml": entries.join("\n") });
      expect(await kubeconfigsOf("slipway-renewers")).toEqual({
        ...{ "us-east-1.json": "another", "eu-west-1.json": "account of eu-west-1" },
      });
    });

    test("goes on with the other regions where one does not answer, says so and fails", async () => {
      const before = await kubeconfigsOf(secrets.orchestrator);
      const away = { server: "https://127.0.0.1:9", ca: "", token: "" };
      writeFileSync(join(folder, "renewers/away.json"), JSON.stringify(away));
      const failed = await renew().catch((error: unknown) => error);
      rmSync(join(folder, "renewers/away.json"));
      const after = await kubeconfigsOf(secrets.orchestrator);

      expect(failed).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("away: orchestrator has no new token: https://127.0.0.1:9 does not answer"),
      });
      for (const where of ["here", "there"])
        expect(after[`${where}.kubeconfig`]).not.toBe(before[`${where}.kubeconfig`]);
    });

    test("may ask for these tokens and write these Secrets, and nothing else; the renewer of another cluster not even that", async () => {
      const core = "/api/v1/namespaces";
      const token = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
      const own = region.callAs(await region.tokenOf(account));
      const other = region.callAs(await region.tokenOf({ namespace: "slipway-system", name: "token-renewer" }));
      const write = (name: string): ["PATCH", string, object, string] => [
        ...(["PATCH", `${core}/slipway/secrets/${name}`] as const),
        { stringData: { a: "b" } },
        "application/merge-patch+json",
      ];

      await own(...write(secrets.orchestrator));
      for (const call of [own, other]) {
        await call("POST", `${core}/slipway-system/serviceaccounts/orchestrator/token`, token);
        for (const path of [
          "slipway/secrets/slipway-regions",
          "slipway-system/secrets",
          "slipway/secrets/slipway-tokens",
        ])
          await expect(call("GET", `${core}/${path}`)).rejects.toThrow(/403|forbidden/i);
        for (const path of ["slipway-system/serviceaccounts/token-renewer", "kube-system/serviceaccounts/default"])
          await expect(call("POST", `${core}/${path}/token`, token)).rejects.toThrow(/403|forbidden/i);
        await expect(call(...write("slipway-tokens"))).rejects.toThrow(/403|forbidden/i);
      }
      await expect(other(...write(secrets.orchestrator))).rejects.toThrow(/403|forbidden/i);
    });
  },
);

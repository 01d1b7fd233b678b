import { generateKeyPairSync, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../until.ts";
import { freePorts } from "./free-ports.ts";
import { type KubeAccess, type KubeCall, kubeCalls, kubeconfigText, runKubectl } from "./kube-api.ts";
import { fileOf, type RealPart } from "./part.ts";
import { type RealServer, startRealServer } from "./server.ts";

/** What a region is made of. With `crds` Istio's custom resources are there; istiod itself is started by `startIstiod`. */
export type RegionParts = {
  readonly etcd: RealPart;
  readonly kubernetes: RealPart;
  readonly crds?: RealPart | undefined;
};

export type RealRegion = {
  readonly port: number;
  /** What it proves itself with, to those whom its kubeconfigs let in. PEM. */
  readonly certificate: { readonly cert: string; readonly key: string };
  /** Of a cluster admin, as the one who installs has it. */
  readonly kubeconfig: string;
  readonly context: string;
  /** One call as the admin. */
  readonly api: KubeCall;
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** A token of TokenRequest for this account: what a service of the region is given. */
  tokenOf(account: ServiceAccount, seconds?: number): Promise<string>;
  /** The path of a new kubeconfig with this token; with `port` it leads to a proxy that stands before the API server. */
  kubeconfigWith(token: string, port?: number): Promise<string>;
  callAs(token: string): KubeCall;
  /** kill -9 of the API server, or SIGSTOP and SIGCONT. Its objects stay. */
  kill(signal?: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
};

export type ServiceAccount = { readonly namespace: string; readonly name: string };

const context = "region";

/** A region with nobody to run its pods: etcd, kube-apiserver with RBAC, and those controllers that a workload needs. */
export async function startRegion({ etcd, kubernetes, crds }: RegionParts): Promise<RealRegion> {
  const started: RealServer[] = [];
  const opened: { close(): void }[] = [];
  const stop = async () => {
    for (const each of opened) each.close();
    for (const server of started.reverse()) await server.stop();
  };
  try {
    const store = await startEtcd(etcd);
    started.push(store);
    const token = randomUUID();
    const server = await startApiServer(kubernetes, store.port, token);
    started.push(server);
    const certificate = await certificateOf(server.dir);
    const access: KubeAccess = { port: server.port, token, ca: certificate.cert };
    const admin = kubeCalls(access);
    opened.push(admin);
    const kubeconfig = join(server.dir, "admin.json");
    await writeFile(kubeconfig, kubeconfigText(access, context), { mode: 0o600 });
    started.push(await startControllers(kubernetes, server.dir, kubeconfig));
    const kubectl = (args: readonly string[], input?: string) =>
      runKubectl(fileOf(kubernetes, "kubectl"), args, {
        ...{ kubeconfig, home: server.dir },
        ...(input === undefined ? {} : { input }),
      });
    const account = "/api/v1/namespaces/default/serviceaccounts/default";
    await until(() => admin.call("GET", account), { what: "the controllers work", timeoutMs: 60_000 });
    if (crds !== undefined) await installIstioResources(kubectl, crds.program);
    return {
      ...{ port: server.port, certificate, kubeconfig, context, api: admin.call, kubectl, stop },
      ...accountsOf(access, admin.call, server.dir, opened),
      kill: (signal) => server.kill(signal),
      start: () => server.start(),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function accountsOf(access: KubeAccess, admin: KubeCall, dir: string, opened: { close(): void }[]) {
  return {
    async tokenOf({ namespace, name }: ServiceAccount, seconds = 3_600) {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
      const body = {
        ...{ apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest" },
        spec: { expirationSeconds: seconds },
      };
      return ((await admin("POST", path, body)) as { status: { token: string } }).status.token;
    },
    async kubeconfigWith(token: string, port = access.port) {
      const path = join(dir, `kubeconfig-${randomUUID()}.json`);
      await writeFile(path, kubeconfigText({ ...access, token, port }, context), { mode: 0o600 });
      return path;
    },
    callAs(token: string) {
      const calls = kubeCalls({ ...access, token });
      opened.push(calls);
      return calls.call;
    },
  };
}

async function startEtcd(part: RealPart): Promise<RealServer> {
  const [peer] = await freePorts(1);
  return startRealServer(part, {
    args: ({ port, dir }) => [
      ...["--data-dir", join(dir, "data"), "--log-level", "error"],
      ...["--listen-client-urls", `http://127.0.0.1:${port}`, "--advertise-client-urls", `http://127.0.0.1:${port}`],
      ...["--listen-peer-urls", `http://127.0.0.1:${peer}`],
      ...["--initial-advertise-peer-urls", `http://127.0.0.1:${peer}`],
      ...["--initial-cluster", `default=http://127.0.0.1:${peer}`],
    ],
    answers: async (port) => (await fetch(`http://127.0.0.1:${port}/health`)).ok,
  });
}

/** It makes a serving certificate of its own, which is what its clients trust. */
const servingCertificate = (dir: string) => join(dir, "certs", "apiserver.crt");

async function certificateOf(dir: string): Promise<RealRegion["certificate"]> {
  const cert = await readFile(servingCertificate(dir), "utf8");
  return { cert, key: await readFile(join(dir, "certs", "apiserver.key"), "utf8") };
}

function startApiServer(part: RealPart, store: number, token: string): Promise<RealServer> {
  return startRealServer(part, {
    args: ({ port, dir }) => [
      ...[`--etcd-servers=http://127.0.0.1:${store}`, `--secure-port=${port}`, "--bind-address=127.0.0.1"],
      ...["--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", `--cert-dir=${join(dir, "certs")}`],
      ...[`--service-account-key-file=${join(dir, "sa.key")}`],
      ...[`--service-account-signing-key-file=${join(dir, "sa.key")}`],
      ...["--service-account-issuer=https://kubernetes.default.svc", "--service-account-extend-token-expiration=false"],
      ...[`--token-auth-file=${join(dir, "tokens.csv")}`, "--anonymous-auth=false", "--authorization-mode=RBAC"],
      "--service-cluster-ip-range=10.96.0.0/16",
    ],
    async prepare(dir) {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      await writeFile(join(dir, "sa.key"), privateKey.export({ type: "pkcs1", format: "pem" }), { mode: 0o600 });
      await writeFile(join(dir, "tokens.csv"), `${token},admin,1,system:masters\n`, { mode: 0o600 });
    },
    async answers(port, dir) {
      const calls = kubeCalls({ port, token, ca: readFileSync(servingCertificate(dir), "utf8") });
      try {
        return (await calls.call("GET", "/readyz")) === "ok";
      } finally {
        calls.close();
      }
    },
  });
}

/** All would want a cloud's flags and nodes. */
const controllers = [
  ...["deployment", "replicaset", "statefulset", "job", "ttl-after-finished", "namespace", "garbage-collector"],
  ...["serviceaccount", "serviceaccount-token", "root-ca-certificate-publisher", "endpointslice", "disruption"],
  ...["horizontal-pod-autoscaler", "validatingadmissionpolicy-status"],
].map((name) => `${name}-controller`);

function startControllers(part: RealPart, serverDir: string, kubeconfig: string): Promise<RealServer> {
  const program = fileOf(part, "kube-controller-manager");
  return startRealServer(
    { ...part, name: "kube-controller-manager", program },
    {
      args: ({ port }) => [
        ...[`--kubeconfig=${kubeconfig}`, "--leader-elect=false", "--bind-address=127.0.0.1", `--secure-port=${port}`],
        ...[`--service-account-private-key-file=${join(serverDir, "sa.key")}`],
        ...[`--root-ca-file=${servingCertificate(serverDir)}`, `--controllers=${controllers.join(",")}`],
        ...["--kube-api-qps=200", "--kube-api-burst=400"],
      ],
      // It is seen at work, not by a port of its own.
      answers: async () => true,
    },
  );
}

async function installIstioResources(kubectl: RealRegion["kubectl"], file: string): Promise<void> {
  await kubectl(["apply", "--server-side", "-f", file]);
  await kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
}

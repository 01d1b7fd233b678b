// Asks each region for a new token of the accounts orchestrator and rollback-controller, and writes a kubeconfig with it into the Secret that the
// service mounts, as NAME.kubeconfig with the context NAME. Nothing but Node's own modules: it is run from a ConfigMap.
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:https";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    namespace: { type: "string" }, // of the two Secrets
    orchestrator: { type: "string" }, // Secret of this account's kubeconfigs
    "rollback-controller": { type: "string" },
    hours: { type: "string" },
    own: { type: "string", default: "" }, // the region that is this very cluster
    renewers: { type: "string", default: "" }, // folder with NAME.json of every other one
    api: { type: "string", default: "https://kubernetes.default.svc" },
    account: { type: "string", default: "/var/run/secrets/kubernetes.io/serviceaccount" },
  },
});
const cluster = {
  server: values.api,
  ca: readFileSync(join(values.account, "ca.crt"), "utf8"),
  token: readFileSync(join(values.account, "token"), "utf8").trim(),
};
const regions = [...(values.own === "" ? [] : [{ name: values.own, place: cluster }]), ...others()];
for (const { name, place } of regions) {
  for (const account of ["orchestrator", "rollback-controller"]) {
    try {
      const { token, expirationTimestamp } = await newToken(place, account);
      await keep(values[account], `${name}.kubeconfig`, kubeconfig(name, account, { ...place, token }));
      process.stdout.write(`${name}: ${account} has a token until ${expirationTimestamp}\n`);
    } catch (error) {
      // The other regions are given theirs all the same.
      process.exitCode = 1;
      process.stderr.write(`${name}: ${account} has no new token: ${error.message}\n`);
    }
  }
}

function others() {
  if (values.renewers === "") return [];
  const files = readdirSync(values.renewers).filter((file) => file.endsWith(".json"));
  return files.map((file) => {
    const { server, ca, token } = JSON.parse(readFileSync(join(values.renewers, file), "utf8"));
    return { name: basename(file, ".json"), place: { server, ca: plain(ca), token: plain(token) } };
  });
}

function plain(base64) {
  return Buffer.from(base64, "base64").toString("utf8");
}

async function newToken(place, account) {
  const path = `/api/v1/namespaces/slipway-system/serviceaccounts/${account}/token`;
  const spec = { expirationSeconds: Math.round(Number(values.hours) * 3600) };
  const kind = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest" };
  return (await call(place, "POST", path, "application/json", { ...kind, spec })).status;
}

function keep(secret, key, text) {
  const path = `/api/v1/namespaces/${values.namespace}/secrets/${secret}`;
  return call(cluster, "PATCH", path, "application/merge-patch+json", { stringData: { [key]: text } });
}

function kubeconfig(region, account, { server, ca, token }) {
  const authority = Buffer.from(ca).toString("base64");
  return JSON.stringify({
    ...{ apiVersion: "v1", kind: "Config", "current-context": region },
    clusters: [{ name: region, cluster: { server, "certificate-authority-data": authority } }],
    users: [{ name: account, user: { token } }],
    contexts: [{ name: region, context: { cluster: region, user: account } }],
  });
}

function call({ server, ca, token }, method, path, type, body) {
  const headers = { authorization: `Bearer ${token}`, "content-type": type, accept: "application/json" };
  const url = `${server.replace(/\/+$/, "")}${path}`;
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, ca, signal: AbortSignal.timeout(30_000) }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => {
        text += chunk;
      });
      answer.once("error", reject);
      answer.once("end", () => {
        if (answer.statusCode < 300) return resolve(JSON.parse(text));
        reject(new Error(`${method} ${path} of ${server} is refused (${answer.statusCode}): ${wordOf(text)}`));
      });
    });
    sent.once("error", (error) => reject(new Error(`${server} does not answer: ${error.message}`)));
    sent.end(JSON.stringify(body));
  });
}

function wordOf(text) {
  try {
    return JSON.parse(text).message;
  } catch {
    return text.slice(0, 200);
  }
}

import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { systemClock } from "@slipway/kernel";
import { adminToken, tokenCheck, writeKubeconfig } from "./access.ts";
import { serverIdentity } from "./certificates.ts";
import { startControllers } from "./controllers/controllers.ts";
import { lockFolder } from "./folder-lock.ts";
import type { Region } from "./region.ts";
import { listener } from "./serve.ts";
import { Store } from "./store.ts";
import type { ApiServer, ApiServerOptions } from "./types.ts";
import { Watches } from "./watch.ts";
import { writeWhole } from "./write-whole.ts";

const stopMs = 2_000;

/**
 * Serves one region's Kubernetes API. Resolves when it listens and the kubeconfig is written. Throws when another server
 * has the folder, what is kept there is damaged, or a port that was asked for is taken.
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(options.dir);
  try {
    return await start(options, lock.release);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function start(options: ApiServerOptions, release: () => Promise<void>): Promise<ApiServer> {
  const { name, dir, host = "127.0.0.1", log, clock = systemClock } = options;
  const identity = await serverIdentity(join(dir, "pki"), host, new Date(clock.now()));
  const token = await adminToken(dir);
  const store = await openStore(options);
  const region: Region = {
    ...{ name, store, log, clock },
    node: options.node ?? name,
    random: options.random ?? Math.random,
    podLogs: options.podLogs,
  };
  const watches = new Watches(store);
  const controllers = startControllers(region);
  const { certPem, keyPem, caPem } = identity;
  const server = createServer({ cert: certPem, key: keyPem, minVersion: "TLSv1.2", keepAliveTimeout: 60_000 });
  const forget = options.faults?.onCloseWatches(() => watches.cut());
  const close = async (): Promise<void> => {
    forget?.();
    watches.stop();
    await closeServer(server);
    await controllers.stop();
    await store.close();
  };
  try {
    const port = await listen(server, options, host);
    const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const url = `https://${address}`;
    server.on(
      "request",
      listener({ region, watches, faults: options.faults, mayEnter: tokenCheck(token), address: () => address }),
    );
    const kubeconfigPath = join(dir, "kubeconfig");
    await writeKubeconfig(kubeconfigPath, { name, url, caPem, token });
    log.info({ region: name, url }, "region API listens");
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      stopping ??= close().then(release);
      return stopping;
    };
    return { ...{ url, port, caPem, kubeconfigPath }, node: region.node, adminToken: token, stop };
  } catch (error) {
    await close();
    throw error;
  }
}

function openStore({ dir, log, historyLimit = 4_096, journalLimitBytes = 8 * 1_048_576 }: ApiServerOptions) {
  return Store.open({ dir: join(dir, "objects"), log, historyLimit, journalLimitBytes });
}

/** The port of the last time is tried first: clients that were not told still find the region. */
async function listen(server: Server, { dir, port }: ApiServerOptions, host: string): Promise<number> {
  const path = join(dir, "port");
  const last = Number(await readFile(path, "utf8").catch(() => "0"));
  const wanted = port === 0 && Number.isInteger(last) && last > 0 && last < 65_536 ? last : port;
  await bind(server, wanted, host).catch(async (error: NodeJS.ErrnoException) => {
    if (port !== 0 || wanted === 0 || error.code !== "EADDRINUSE") throw error;
    await bind(server, 0, host);
  });
  const bound = (server.address() as AddressInfo).port;
  if (bound !== last) await writeWhole(path, String(bound));
  return bound;
}

async function bind(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host);
  await once(server, "listening");
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeIdleConnections();
  const timer = new AbortController();
  await Promise.race([closed, pause(stopMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
  timer.abort();
  server.closeAllConnections();
  await closed;
}

import { parseImageReference, pullAndUnpack, RegistryClient, type UnpackedImage } from "@slipway/oci";
import type { RegistryAccess } from "./types.ts";

/** Images of this machine, by digest. */
export type Images = {
  /** The image, pulled and unpacked at most once. Throws OciError where it cannot be had. */
  get(reference: string, signal: AbortSignal): Promise<UnpackedImage>;
  close(): Promise<void>;
};

/** Short: the pod's own back-off asks again, and its status says what is wrong in the meantime. */
const answerDeadlineMs = 5_000;

export function openImages(dir: string, registries: Readonly<Record<string, RegistryAccess>>): Images {
  const clients = new Map<string, RegistryClient>();
  const clientOf = (host: string): RegistryClient => {
    const known = clients.get(host);
    if (known !== undefined) return known;
    const { url = defaultUrl(host), auth } = registries[host] ?? {};
    const client = new RegistryClient({ url, deadlineMs: answerDeadlineMs, ...(auth === undefined ? {} : { auth }) });
    clients.set(host, client);
    return client;
  };
  return {
    async get(reference, signal) {
      const { host, repository, digest } = parseImageReference(reference);
      return await pullAndUnpack({ client: clientOf(host), repository, digest, into: dir, signal });
    },
    async close() {
      await Promise.all([...clients.values()].map((client) => client.close()));
    },
  };
}

function defaultUrl(host: string): string {
  const isLoopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?$/.test(host);
  return `${isLoopback ? "http" : "https"}://${host}`;
}

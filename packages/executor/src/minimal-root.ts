import { lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import type { Mount } from "./types.ts";

/** One entry of the root file system that a step sees. */
export type RootEntry =
  | { readonly kind: "ro" | "rw" | "dev"; readonly from: string; readonly to: string }
  | { readonly kind: "link"; readonly target: string; readonly to: string }
  | { readonly kind: "tmpfs"; readonly bytes: number; readonly to: string }
  | { readonly kind: "proc"; readonly to: string };

export const workspacePath = "/workspace";
/** Where the platform's Node is inside; on PATH as `node`. */
export const nodeInside = "/opt/slipway/bin/node";
/** The home of a step that keeps something in it. */
export const homePath = "/slipway/home";
export const pathInside = "/opt/slipway/bin:/usr/local/bin:/usr/bin:/bin";

const systemFolders = ["/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin"];
/** Of /etc only what programs need to run: no users, hosts or keys of this machine. */
const fromEtc = ["/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/localtime"];
const devices = ["null", "zero", "full", "random", "urandom"];

export type RootRequest = {
  readonly workspace: string;
  readonly nodePath: string;
  /** Folder with passwd, group, hosts and nsswitch.conf made for the step. */
  readonly etc: string;
  readonly mounts: readonly Mount[];
  readonly tmpBytes: number;
  readonly shareNetwork: boolean;
  /** Folder on the host that becomes the step's home, writable; without it a home is /tmp. */
  readonly home: string | undefined;
  /** What stands in for this machine's own system: the top level of an image, with its /etc. */
  readonly image: readonly RootEntry[] | undefined;
};

/** The whole file system of a step: system folders and tools read-only, /workspace and its home writable, no home of this machine. */
export function rootEntries(request: RootRequest): RootEntry[] {
  const node: RootEntry = { kind: "ro", from: request.nodePath, to: nodeInside };
  return [
    ...(request.image ?? machineEntries(request)),
    { kind: "proc", to: "/proc" },
    ...deviceEntries(),
    { kind: "tmpfs", bytes: request.tmpBytes, to: "/dev/shm" },
    { kind: "tmpfs", bytes: request.tmpBytes, to: "/tmp" },
    ...(request.image === undefined ? [node] : []),
    ...request.mounts.map((mount): RootEntry => ({ kind: "ro", ...mount })),
    { kind: "rw", from: request.workspace, to: workspacePath },
    ...(request.home === undefined ? [] : [{ kind: "rw", from: request.home, to: homePath } as const]),
  ];
}

/** The system of this machine. */
function machineEntries(request: RootRequest): RootEntry[] {
  return [
    { kind: "ro", from: "/usr", to: "/usr" },
    ...systemFolders.flatMap(systemEntry),
    ...fromEtc.filter(exists).map((path): RootEntry => ({ kind: "ro", from: path, to: path })),
    ...["passwd", "group", "hosts", "nsswitch.conf", "resolv.conf"].map((name) => etcEntry(name, request)),
  ];
}

/** In the machine's own network a step also finds names as the machine does. */
function etcEntry(name: string, { etc, shareNetwork }: RootRequest): RootEntry {
  const own = shareNetwork && ["nsswitch.conf", "resolv.conf", "hosts"].includes(name) && exists(`/etc/${name}`);
  return { kind: "ro", from: own ? realpathSync(`/etc/${name}`) : `${etc}/${name}`, to: `/etc/${name}` };
}

function deviceEntries(): RootEntry[] {
  return [
    ...devices.map((name): RootEntry => ({ kind: "dev", from: `/dev/${name}`, to: `/dev/${name}` })),
    { kind: "link", target: "/proc/self/fd", to: "/dev/fd" },
    { kind: "link", target: "/proc/self/fd/0", to: "/dev/stdin" },
    { kind: "link", target: "/proc/self/fd/1", to: "/dev/stdout" },
    { kind: "link", target: "/proc/self/fd/2", to: "/dev/stderr" },
  ];
}

/** /lib and its like: a link on a merged-usr system, a folder elsewhere. */
function systemEntry(path: string): RootEntry[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (found.isSymbolicLink()) return [{ kind: "link", target: readlinkSync(path), to: path }];
  return [{ kind: "ro", from: path, to: path }];
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Files of /etc that are made for a step: the one account it runs as, and localhost. */
export function etcFiles(uid: number): Readonly<Record<string, string>> {
  return {
    passwd: `root:x:0:0::/:/usr/sbin/nologin\nbuild:x:${uid}:${uid}:build:/tmp:/bin/sh\n`,
    group: `root:x:0:\nbuild:x:${uid}:\n`,
    hosts: "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "resolv.conf": "",
  };
}

import { join } from "node:path";

/** Lies unpacked: what a node would have pulled. */
export type UnpackedRoot = { readonly root: string; readonly env: readonly string[] };

export type ContainerSpec = {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly workingDir?: string;
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
  }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: {
    readonly allowPrivilegeEscalation: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] };
  };
};

/** What a runtime of Kubernetes hides of /proc, for which reason nothing in a pod may mount another one. */
const masked = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/scsi"];
const readonly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** The container of a pod as runc is told it: its account, its capabilities and its volumes are those of the manifest; its network is the machine's. */
export function bundleOf(request: {
  readonly container: ContainerSpec;
  readonly image: UnpackedRoot;
  readonly account: { readonly runAsUser: number; readonly fsGroup: number };
  /** Folder with the pod's volumes. */
  readonly folder: string;
  readonly escalates: boolean;
  readonly env: readonly string[];
}): object {
  const { container, image, account } = request;
  const { securityContext: security, volumeMounts = [] } = container;
  if (!security.capabilities.drop.includes("ALL")) throw new Error("a pod here drops ALL capabilities first");
  const bounding = (security.capabilities.add ?? []).map((name) => `CAP_${name}`);
  return {
    ociVersion: "1.0.2",
    process: {
      user: { uid: account.runAsUser, gid: account.runAsUser, additionalGids: [account.fsGroup] },
      ...{ args: container.command, cwd: container.workingDir ?? "/", env: [...image.env, ...request.env] },
      // Whoever is not root has these only where a setuid program takes them.
      capabilities: { bounding },
      noNewPrivileges: !(security.allowPrivilegeEscalation && request.escalates),
    },
    root: { path: image.root, readonly: security.readOnlyRootFilesystem },
    hostname: "builder",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=65536k"] },
      { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance"] },
      { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "nodev", "mode=1777"] },
      { destination: "/sys", type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"] },
      ...volumeMounts.map(({ name, mountPath }) => ({
        ...{ destination: mountPath, type: "none", source: join(request.folder, "volumes", name) },
        options: ["rbind", "rw"],
      })),
    ],
    linux: {
      namespaces: ["pid", "ipc", "uts", "mount"].map((type) => ({ type })),
      ...{ maskedPaths: masked, readonlyPaths: readonly },
    },
  };
}

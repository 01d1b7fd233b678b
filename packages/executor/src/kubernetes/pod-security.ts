import { uidOf } from "../workspace.ts";

/** The account that the image of rootless BuildKit is made for: its /etc/subuid names it. */
export const builderUid = 1_000;

/** A number of its own for each run of a step; BuildKit can only be the one that its image knows. */
export function accountOf({ builds, run }: { readonly builds: boolean; readonly run: string }): number {
  return builds ? builderUid : uidOf(run);
}

export function podSecurity(uid: number): object {
  return {
    ...{ runAsNonRoot: true, runAsUser: uid, runAsGroup: uid, fsGroup: uid },
    seccompProfile: { type: "RuntimeDefault" },
  };
}

const held = { readOnlyRootFilesystem: true, privileged: false } as const;

/**
 * A step has no capability and gains none. Rootless BuildKit makes a user namespace and mounts in it, which the profiles of seccomp and AppArmor
 * that runtimes bring forbid; and its newuidmap, a setuid program, gives that namespace the ids of /etc/subuid, for which it needs these two
 * capabilities and nothing else. All that RUN lines get of root is inside of that namespace.
 */
export function containerSecurity(builds: boolean): object {
  if (!builds) return { ...held, allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
  return {
    ...held,
    allowPrivilegeEscalation: true,
    capabilities: { drop: ["ALL"], add: ["SETGID", "SETUID"] },
    seccompProfile: { type: "Unconfined" },
    appArmorProfile: { type: "Unconfined" },
  };
}

/** One entry of the root file system that a pod sees. */
export type RootEntry =
  | { readonly kind: "ro" | "rw"; readonly from: string; readonly to: string }
  | { readonly kind: "link"; readonly target: string; readonly to: string };

export type Account = { readonly uid: number; readonly gid: number };

/** Whom a pod's processes run as. */
export type PodAccount = {
  /** Uid and gid on the machine, where the agent is root. */
  readonly host: number;
  /** Whom the pod sees itself as, by a user namespace; null: the number of the machine. */
  readonly inside: Account | null;
};

export type Recipe = {
  readonly asRoot: boolean;
  readonly account: PodAccount;
  /** File into which the first process writes its line of /proc/<pid>/stat. */
  readonly pidFile: string;
  /** `cgroup.procs` files to join. */
  readonly groups: readonly string[];
  /** Empty folder that becomes the root. */
  readonly stage: string;
  readonly hostname: string;
  readonly entries: readonly RootEntry[];
  readonly rlimits: readonly string[];
  readonly workingDir: string;
  readonly command: readonly string[];
};

/**
 * The fixed shell texts. Nothing is pasted into them: paths, names and the command arrive as positional parameters, the
 * pod's variables in the environment (where other users cannot read them). PATH is the pod's and is put back at the end.
 *
 *   announce (host) -> setpriv/unshare: namespaces -> build (private root) -> unshare: chroot, uid -> the pod
 */
const announceScript = `
read -r line < "/proc/$$/stat"
printf '%s\\n' "$line" > "$1"; shift
while [ "$1" != -- ]; do echo 0 > "$1"; shift; done
shift
exec "$@"
`;

const buildScript = `
pod_path=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1; hostname "$2" 2>/dev/null || true; shift 2
mount -t tmpfs -o size=1m,mode=0755,nosuid,nodev slipway "$root"
mkdir "$root/proc" "$root/tmp" "$root/dev" "$root/dev/shm"
mount -t tmpfs -o size=64m,mode=1777,nosuid,nodev slipway "$root/tmp"
while [ "$1" != -- ]; do
  case $1 in
  ro)
    if [ -d "$2" ]; then [ -e "$root$3" ] || mkdir "$root$3"; else [ -e "$root$3" ] || : > "$root$3"; fi
    mount --bind "$2" "$root$3"
    mount -o remount,bind,ro,nosuid,nodev "$root$3" ;;
  rw)
    [ -e "$root$3" ] || mkdir "$root$3"
    mount --bind "$2" "$root$3"
    mount -o remount,bind,nosuid,nodev "$root$3" ;;
  link) ln -s "$2" "$root$3" ;;
  esac
  shift 3
done
shift
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o size=16m,mode=1777,nosuid,nodev slipway "$root/dev/shm"
for device in null zero full random urandom; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mount -o remount,bind,ro,nosuid,nodev "$root"
cd "$root"
PATH=$pod_path
exec "$@"
`;

const shell = (script: string): string[] => ["/bin/sh", "-eu", "-c", script, "slipway-pod"];
const setpriv = "/usr/bin/setpriv";
const unshare = "/usr/bin/unshare";
const prlimit = "/usr/bin/prlimit";

/** Top-level names that the pod gets of its own, whatever the image has there. */
export const ownFolders: ReadonlySet<string> = new Set(["proc", "tmp", "dev"]);

/**
 * The argument vector that starts a pod with mount, pid, ipc and uts namespaces of its own and the host's network. It ends as an account without
 * privileges: as root under a uid of its own, else in a second user namespace, so that it is not even root of the first. Pure.
 */
export function podArgv(recipe: Recipe): [string, ...string[]] {
  const namespaces = [
    unshare,
    ...(recipe.asRoot ? [] : ["--user", "--map-root-user"]),
    ...["--mount", "--propagation", "private", "--pid", "--ipc", "--uts", "--fork", "--"],
  ];
  const { privileges, identity } = endsAs(recipe);
  return [
    ...(shell(announceScript) as [string, ...string[]]),
    ...[recipe.pidFile, ...recipe.groups, "--", ...namespaces],
    ...[...shell(buildScript), recipe.stage, recipe.hostname, ...recipe.entries.flatMap(entryArgs), "--"],
    ...[prlimit, ...recipe.rlimits, "--", setpriv, "--no-new-privs", ...privileges, "--"],
    // The folder it stands in: the path there is closed to an account.
    ...[unshare, "--root=.", `--wd=${recipe.workingDir}`, ...identity, "--"],
    ...recipe.command,
  ];
}

/**
 * A pod that is somebody else inside than on the machine gives up root first and makes its user namespace as that account, so that nobody of the
 * machine but this account stands behind it.
 */
function endsAs({ asRoot, account: { host, inside } }: Recipe): Record<"privileges" | "identity", string[]> {
  const mapped = inside === null ? [] : ["--user", `--map-user=${inside.uid}`, `--map-group=${inside.gid}`];
  if (!asRoot) return { privileges: [], identity: mapped };
  const none = ["--inh-caps=-all", "--ambient-caps=-all"];
  if (inside === null) {
    return {
      privileges: ["--bounding-set=-all,+setuid,+setgid,+sys_chroot", ...none],
      identity: [`--setgid=${host}`, `--setuid=${host}`],
    };
  }
  return {
    privileges: ["--bounding-set=-all", ...none, `--reuid=${host}`, `--regid=${host}`, "--clear-groups"],
    identity: mapped,
  };
}

function entryArgs(entry: RootEntry): string[] {
  return entry.kind === "link" ? ["link", entry.target, entry.to] : [entry.kind, entry.from, entry.to];
}

/** One entry of the root file system that a pod sees. */
export type RootEntry =
  | { readonly kind: "ro"; readonly from: string; readonly to: string }
  | { readonly kind: "link"; readonly target: string; readonly to: string };

export type Recipe = {
  readonly asRoot: boolean;
  /** Host uid and gid of the pod when the agent is root. */
  readonly uid: number;
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
while [ "$1" != -- ]; do
  case $1 in
  ro)
    if [ -d "$2" ]; then [ -e "$root$3" ] || mkdir "$root$3"; else [ -e "$root$3" ] || : > "$root$3"; fi
    mount --bind "$2" "$root$3"
    mount -o remount,bind,ro,nosuid,nodev "$root$3" ;;
  link) ln -s "$2" "$root$3" ;;
  esac
  shift 3
done
shift
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o size=64m,mode=1777,nosuid,nodev slipway "$root/tmp"
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
PATH=$pod_path
exec "$@"
`;

const shell = (script: string): string[] => ["/bin/sh", "-eu", "-c", script, "slipway-pod"];
const setpriv = "/usr/bin/setpriv";
const unshare = "/usr/bin/unshare";
const prlimit = "/usr/bin/prlimit";

/** Uid that a pod sees itself as where a user namespace hides the real one. */
const insideUid = 1_000;

/** Top-level names that the pod gets of its own, whatever the image has there. */
export const ownFolders: ReadonlySet<string> = new Set(["proc", "tmp", "dev"]);

/**
 * The argument vector that starts a pod with mount, pid, ipc and uts namespaces of its own and the host's network. As root
 * it ends as an unused uid; else in a second user namespace, so that it is not even root of the first. Pure.
 */
export function podArgv(recipe: Recipe): [string, ...string[]] {
  const namespaces = [
    unshare,
    ...(recipe.asRoot ? [] : ["--user", "--map-root-user"]),
    ...["--mount", "--propagation", "private", "--pid", "--ipc", "--uts", "--fork", "--"],
  ];
  const identity = recipe.asRoot
    ? [`--setgid=${recipe.uid}`, `--setuid=${recipe.uid}`]
    : ["--user", `--map-user=${insideUid}`, `--map-group=${insideUid}`];
  const privileges = recipe.asRoot
    ? ["--bounding-set=-all,+setuid,+setgid,+sys_chroot", "--inh-caps=-all", "--ambient-caps=-all"]
    : [];
  return [
    ...(shell(announceScript) as [string, ...string[]]),
    ...[recipe.pidFile, ...recipe.groups, "--", ...namespaces],
    ...[...shell(buildScript), recipe.stage, recipe.hostname, ...recipe.entries.flatMap(entryArgs), "--"],
    ...[prlimit, ...recipe.rlimits, "--", setpriv, "--no-new-privs", ...privileges, "--"],
    ...[unshare, `--root=${recipe.stage}`, `--wd=${recipe.workingDir}`, ...identity, "--"],
    ...recipe.command,
  ];
}

function entryArgs(entry: RootEntry): string[] {
  return entry.kind === "ro" ? ["ro", entry.from, entry.to] : ["link", entry.target, entry.to];
}

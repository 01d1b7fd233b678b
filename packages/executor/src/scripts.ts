/**
 * The fixed shell texts of the recipes. Nothing is ever pasted into them: paths and commands arrive as positional
 * parameters, and only the last one of a chain runs inside the isolation.
 *
 *   enter (host) -> setpriv/unshare -> stage or root (new mount namespace) -> launch (inside) -> the step
 */

/** Joins control groups: `enter <cgroup.procs>... -- command`. Writing 0 moves the writer. */
export const enterScript = `
while [ "$1" != -- ]; do echo 0 > "$1"; shift; done
shift
exec "$@"
`;

const bindFunctions = `
PATH=/usr/sbin:/usr/bin:/sbin:/bin
place() { if [ -d "$1" ]; then mkdir -p "$2"; else mkdir -p "\${2%/*}"; : > "$2"; fi; }
`;

/** Mounts sources below a folder that another uid can reach: `stage <folder> (<from> <name>)... -- command`. */
export const stageScript = `${bindFunctions}
stage=$1; shift
mount -t tmpfs -o size=1m,mode=0755,nosuid,nodev slipway "$stage"
while [ "$1" != -- ]; do place "$1" "$stage$2"; mount --bind "$1" "$stage$2"; shift 2; done
shift
exec "$@"
`;

/**
 * Builds the minimal root: `root <own|shared network> <folder> (<kind> <value> <path>)... -- command`, kind being one of ro, rw, dev, link,
 * tmpfs (value = its size), proc. Brings up lo with ip, else with the ioctl SIOCSIFFLAGS (perl-base is essential in Debian).
 */
export const rootScript = `${bindFunctions}
net=$1 root=$2; shift 2
mount -t tmpfs -o size=1m,mode=0755,nosuid,nodev slipway "$root"
while [ "$1" != -- ]; do
  case $1 in
  ro) place "$2" "$root$3"; mount --bind "$2" "$root$3"; mount -o remount,bind,ro,nosuid,nodev "$root$3" ;;
  rw) place "$2" "$root$3"; mount --bind "$2" "$root$3"; mount -o remount,bind,nosuid,nodev "$root$3" ;;
  dev) place "$2" "$root$3"; mount --bind "$2" "$root$3" ;;
  link) mkdir -p "$root\${3%/*}"; ln -s "$2" "$root$3" ;;
  tmpfs) mkdir -p "$root$3"; mount -t tmpfs -o "size=$2,mode=1777,nosuid,nodev" slipway "$root$3" ;;
  proc) mkdir -p "$root$3"; mount -t proc -o nosuid,nodev,noexec proc "$root$3" ;;
  esac
  shift 3
done
shift
mount -o remount,bind,ro "$root"
if [ "$net" = shared ]; then :
elif command -v ip >/dev/null; then ip link set lo up
else perl -e 'socket(my $s, 2, 2, 0) or exit 1; ioctl($s, 0x8914, pack("a16s", "lo", 0x41)) or exit 1'; fi
exec "$@"
`;

/**
 * First text inside: gives each secret its name (`launch <folder> <name>... -- command`; only numbers are pasted into the eval),
 * tells the platform on descriptor 3 that everything stands, then becomes the step with one stream for what it prints. Without
 * the word on 3, an exit is the recipe's failure and not the step's.
 */
export const launchScript = `
cd "$1"; shift
n=0
while [ "$1" != -- ]; do
  eval "export \\"\\$1=\\$SLIPWAY_SECRET_$n\\""
  unset "SLIPWAY_SECRET_$n"
  n=$((n + 1)); shift
done
shift
echo ready >&3
exec 3>&-
exec "$@" 2>&1 </dev/null
`;

/** In a pod: limits that hold for each process, and a number of processes, which has another letter in each shell. */
export const podScript = `
ulimit -c 0; ulimit -n 4096 2>/dev/null || :
ulimit -p "$1" 2>/dev/null || ulimit -u "$1" 2>/dev/null || :
shift
exec "$@" 2>&1 </dev/null
`;

/** Without isolation only the streams are merged. */
export const mergeScript = `
exec "$@" 2>&1 </dev/null
`;

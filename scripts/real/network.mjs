// A network of the run's own: only a loopback, on which every address of 10.64.0.0/10 answers. A Kubernetes region takes no address of 127.0.0.0/8 for a
// pod, and nothing that the servers of a run listen on is seen by anybody else.
import { spawnSync } from "node:child_process";

const script = 'ip link set lo up && ip route add local 10.64.0.0/10 dev lo && exec "$@"';

/** The program and arguments before a command that run it there; none where the machine does not let us, and then why. */
export function ownNetwork() {
  const asUser = process.getuid() === 0 ? [] : ["--user", "--map-current-user", "--keep-caps"];
  const through = ["unshare", ...asUser, "--net", "sh", "-c", script, "slipway-real"];
  const { status, stderr, error } = spawnSync(through[0], [...through.slice(1), "true"], { encoding: "utf8" });
  return status === 0 ? { through } : { through: [], why: (error?.message ?? stderr).trim() };
}

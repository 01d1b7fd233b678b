import { execFile } from "node:child_process";
import { chmod, lstat, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { UnpackedImage } from "@slipway/oci";
import type { Account, PodAccount, RootEntry } from "./recipe.ts";

/** Host uids of pods: above what accounts and container runtimes use, and one per slot, so one per pod of the machine. */
const firstUid = 700_000;
/** An ordinary user's pod always has a user namespace; this is who it is there where the image names nobody but root. */
const anybody: Account = { uid: 1_000, gid: 1_000 };
const mostId = 4_294_967_294;

/**
 * The account of the pod in a slot: inside, the one that the image names as its USER. Root is nobody's: such an image runs as any account. Throws where
 * the image names somebody whom it does not know.
 */
export async function podAccount(
  slot: number,
  image: UnpackedImage,
  agent: { readonly asRoot: boolean; readonly mapsUsers: boolean },
): Promise<PodAccount> {
  const host = (await manyUids()) ? firstUid + slot : slot;
  const named = accountOf(image.user, await accountsOf(image.root));
  if (!agent.asRoot) return { host, inside: named ?? anybody };
  return { host, inside: agent.mapsUsers ? named : null };
}

type Accounts = { readonly passwd: string; readonly group: string };

/** `USER` of an image (`1000`, `1000:1000`, `node`, `node:staff`) as numbers; null for root and for none. Pure. */
export function accountOf(user: string, { passwd, group }: Accounts): Account | null {
  const [name = "", groupName] = user.split(":");
  if (name === "" || name === "root") return null;
  const row = rowOf(passwd, name, 2);
  const uid = numberOf(name) ?? numberOf(row?.[2]);
  if (uid === undefined) throw new Error(`the image runs as ${name.slice(0, 80)}, whom its /etc/passwd does not name`);
  if (uid === 0) return null;
  if (groupName === undefined || groupName === "") return { uid, gid: numberOf(row?.[3]) ?? 0 };
  const gid = numberOf(groupName) ?? numberOf(rowOf(group, groupName, 2)?.[2]);
  if (gid === undefined)
    throw new Error(`the image runs in the group ${groupName.slice(0, 80)}, which its /etc/group does not name`);
  return { uid, gid };
}

/** The line of an account file that has this name or this number. */
function rowOf(file: string, nameOrNumber: string, numberAt: number): readonly string[] | undefined {
  const rows = file.split("\n").map((line) => line.split(":"));
  return rows.find((row) => row[0] === nameOrNumber) ?? rows.find((row) => row[numberAt] === nameOrNumber);
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const number = Number(text);
  return number > mostId ? undefined : number;
}

async function accountsOf(root: string): Promise<Accounts> {
  const [passwd, group] = await Promise.all(["passwd", "group"].map((name) => ownFile(root, name)));
  return { passwd: passwd ?? "", group: group ?? "" };
}

/** A file of the image's /etc; never what a link of the image leads to. */
async function ownFile(root: string, name: string): Promise<string | undefined> {
  const path = join(root, "etc", name);
  const [etc, file] = await Promise.all([join(root, "etc"), path].map((each) => lstat(each).catch(() => undefined)));
  return etc?.isDirectory() === true && file?.isFile() === true ? readFile(path, "utf8") : undefined;
}

/** The pod's uid under a name, beside those of the image: without one `os.userInfo()` throws. */
export async function accountEntries(folder: string, root: string, account: PodAccount): Promise<RootEntry[]> {
  const passwd = await ownFile(root, "passwd");
  const { uid, gid } = account.inside ?? { uid: account.host, gid: account.host };
  if (passwd === undefined || rowOf(passwd, String(uid), 2) !== undefined) return [];
  const from = join(folder, "passwd");
  await writeFile(from, `${passwd.trimEnd()}\npod:x:${uid}:${gid}:pod:/tmp:/sbin/nologin\n`);
  await chmod(from, 0o644);
  return [{ kind: "ro", from, to: "/etc/passwd" }];
}

/** False inside of containers that own the usual 65,536 ids only. */
async function manyUids(): Promise<boolean> {
  const map = await readFile("/proc/self/uid_map", "utf8").catch(() => "");
  return map.split("\n").some((line) => Number(line.trim().split(/\s+/)[2]) > firstUid + 65_536);
}

/** Whether an account without privileges may make a user namespace, which some machines forbid: tried, as a pod would. */
export async function mayMapUsers(): Promise<boolean> {
  const id = (await manyUids()) ? firstUid : anybody.uid;
  const args = ["--no-new-privs", `--reuid=${id}`, `--regid=${id}`, "--clear-groups", "--"];
  const namespace = ["/usr/bin/unshare", "--user", "--map-user=1", "--map-group=1", "--", "/bin/true"];
  return promisify(execFile)("/usr/bin/setpriv", [...args, ...namespace]).then(
    () => true,
    () => false,
  );
}

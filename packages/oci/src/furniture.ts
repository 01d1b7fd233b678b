import { access, readFile } from "node:fs/promises";
import { directory, type Entry, textFile } from "./entries.ts";
import { OciError } from "./errors.ts";

/**
 * Without passwd and nsswitch.conf `os.userInfo()` throws and `localhost` is not found. Folders that a pod's own mounts
 * (proc, dev, tmp) go to have to exist, since the unpacked root is read-only.
 */
export const furniture: readonly Entry[] = [
  ...["app", "dev", "etc", "home", "proc", "root", "run", "sys", "usr/local/bin", "var/tmp"].map((name) =>
    directory(name),
  ),
  directory("tmp", 0o1777),
  textFile(
    "etc/passwd",
    "root:x:0:0:root:/root:/sbin/nologin\napp:x:1000:1000:app:/app:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
  ),
  textFile("etc/group", "root:x:0:\napp:x:1000:\nnogroup:x:65534:\n"),
  textFile("etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"),
  textFile("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
  textFile("etc/resolv.conf", ""),
];

/** Looked up by glibc when a name is resolved, so no linker lists them; compiled into libc since glibc 2.34. */
export const nameLookups = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"];

/** Where Debian, Fedora and Alpine keep the certificates that they trust. */
const bundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
export const certificatesInside = "/etc/ssl/certs/ca-certificates.crt";

/** The certificates that this machine trusts; undefined where there are none. */
export async function findCertificates(places: readonly string[] = bundles): Promise<string | undefined> {
  for (const path of places) {
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

/** The certificates of this machine as a file of an image. Throws `invalid`, with the remedy, where it has none. */
export async function certificateEntries(places?: readonly string[]): Promise<readonly Entry[]> {
  const found = await findCertificates(places);
  if (found === undefined) {
    const remedy = "install ca-certificates on the build machine";
    throw new OciError("invalid", `this machine has no certificates to trust: ${remedy}`);
  }
  return [textFile(certificatesInside.slice(1), await readFile(found, "utf8"))];
}

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const needed = [
  { packageName: "git", programs: ["git"], what: "repositories and builds" },
  { packageName: "util-linux", programs: ["unshare", "setpriv", "prlimit", "mount"], what: "isolating steps and pods" },
] as const;

/** Where the system's own tools are, whatever PATH says. */
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What this machine lacks, as a sentence with the line that installs it; undefined when everything is there. */
export function missingPrograms(path: string, system = systemPath): string | undefined {
  const missing = needed.flatMap(({ packageName, programs, what }) => {
    const where = packageName === "git" ? path : `${path}${delimiter}${system}`;
    const absent = programs.filter((program) => !isOn(where, program));
    return absent.length === 0 ? [] : [{ packageName, text: `${absent.join(", ")} (for ${what})` }];
  });
  if (missing.length === 0) return undefined;
  const packages = missing.map(({ packageName }) => packageName).join(" ");
  return (
    `This machine lacks ${missing.map(({ text }) => text).join(" and ")}. ` +
    `Install: apt-get install ${packages} (Debian, Ubuntu), dnf install ${packages} (Fedora), apk add ${packages} (Alpine).`
  );
}

function isOn(path: string, program: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder === "" ? "." : folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

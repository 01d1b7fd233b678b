import { ServiceNameSchema } from "@slipway/contracts";
import type { ServiceName } from "@slipway/kernel";

const parts = /^\/git\/([^/]*?)(?:\.git)?(?:\/|$)/;
const gitPath = /^\/git\/([^/]+)\.git(\/(?:info\/refs|git-upload-pack|git-receive-pack|HEAD|objects\/.*))?$/;

/** The service that a path below /git is of, or what is wrong with it: in a sentence, since git shows it to whoever pushes. */
export function repositoryAt(path: string): { readonly service: ServiceName } | { readonly refusal: string } {
  const written = nameIn(path);
  const name = ServiceNameSchema.safeParse(written);
  if (!name.success) {
    const fitting = fittingName(written);
    const hint = fitting === undefined ? "" : `; ${fitting}.git would be one`;
    return {
      refusal: `no such repository: "${written.slice(0, 80)}" names no service: ${name.error.issues[0]?.message}${hint}`,
    };
  }
  if (gitPath.test(path)) return { service: name.data };
  return { refusal: `no such repository: the one of ${name.data} is /git/${name.data}.git` };
}

function nameIn(path: string): string {
  const written = parts.exec(path)?.[1] ?? "";
  try {
    return decodeURIComponent(written);
  } catch {
    return written;
  }
}

/** The same name as a service may have it; undefined where nothing of it is left. */
function fittingName(written: string): string | undefined {
  const name = written
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[^a-z]+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return ServiceNameSchema.safeParse(name).success ? name : undefined;
}

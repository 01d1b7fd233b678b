import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

/** The package registries of this machine: what steps may reach, and the settings that lead package managers there. */
export type Registries = {
  /** `host:port`. */
  readonly hosts: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

/** What npm, pip and go say of themselves; undefined where one is not installed. */
export type RegistrySettings = {
  /** Registry URLs: the default one first, then those of scopes. */
  readonly npm: readonly string[] | undefined;
  /** Output of `pip config list`. */
  readonly pip: string | undefined;
  /** Where pip looks when nothing is set up: its index, and the host of that index's files, on two lines. */
  readonly pipDefault?: string | undefined;
  readonly goproxy: string | undefined;
  readonly gosumdb: string | undefined;
};

/** Long, since on a busy machine a package manager takes seconds to start, and what it does not say is then missing. */
const askWithinMs = 60_000;
/** pip lists what was set up only; what holds otherwise it knows itself. */
const pipDefaults =
  "from pip._internal.models.index import PyPI; print(PyPI.simple_url, PyPI.file_storage_domain, sep='\\n')";
const certificates = "/etc/ssl/certs/ca-certificates.crt";

/** Asks the package managers of this machine, each in its own way, so that a mirror that is set up for people is used by builds. */
export async function findRegistries(): Promise<Registries> {
  const [npm, pip, pipDefault, go] = await Promise.all([
    ask("npm", ["config", "list", "--json"]),
    ask("pip3", ["config", "list"]),
    ask("python3", ["-c", pipDefaults]),
    ask("go", ["env", "-json", "GOPROXY", "GOSUMDB"]),
  ]);
  const goEnv = parsed(go);
  return registriesOf({
    npm: npmRegistries(parsed(npm)),
    pip,
    pipDefault,
    goproxy: goEnv.GOPROXY,
    gosumdb: goEnv.GOSUMDB,
  });
}

/** Pure: hosts and settings out of what the package managers say, and nothing that they do not say. Credentials in URLs stay on this machine. */
export function registriesOf(settings: RegistrySettings): Registries {
  const npm = settings.npm ?? [];
  const configured = pipIndexes(settings.pip ?? "");
  const [ownIndex, ownFiles] = settings.pipDefault?.trim().split("\n") ?? [];
  const useOwn = settings.pip !== undefined && configured.index.length === 0 && ownIndex !== undefined;
  const pip = [...(useOwn ? [ownIndex] : configured.index), ...configured.extra];
  const files = useOwn && ownFiles !== undefined ? [`https://${ownFiles}`] : [];
  const go = (settings.goproxy ?? "off").split(/[,|]/).filter((part) => /^https?:/.test(part));
  const sumdb = settings.gosumdb ?? "off";
  const sum = sumdb === "off" ? [] : [`https://${sumdb.split("+")[0]}`];
  const hosts = [...npm, ...pip, ...files, ...go, ...sum].flatMap(hostOf);
  const index = pip.map(withoutCredentials);
  return {
    hosts: [...new Set(hosts)],
    env: {
      ...(npm[0] === undefined ? {} : npmEnv(withoutCredentials(npm[0]))),
      ...(index[0] === undefined ? {} : { PIP_INDEX_URL: index[0] }),
      ...(index.length > 1 ? { PIP_EXTRA_INDEX_URL: index.slice(1).join(" ") } : {}),
      GOPROXY: go.length > 0 ? go.map(withoutCredentials).join(",") : "off",
      GOSUMDB: sumdb,
      ...(existsSync(certificates)
        ? { SSL_CERT_FILE: certificates, PIP_CERT: certificates, NODE_EXTRA_CA_CERTS: certificates }
        : {}),
    },
  };
}

function npmRegistries(config: Readonly<Record<string, string>>): readonly string[] {
  const scoped = Object.entries(config).filter(([key]) => key.endsWith(":registry"));
  return [config.registry, ...scoped.map(([, url]) => url)].filter((url) => typeof url === "string");
}

/** Yarn from version 2 on reads no setting of npm's, and asks a registry without TLS only where that is allowed by name. */
function npmEnv(registry: string): Record<string, string> {
  const plain = registry.startsWith("http:") && URL.canParse(registry);
  return {
    npm_config_registry: registry,
    YARN_NPM_REGISTRY_SERVER: registry,
    ...(plain ? { YARN_UNSAFE_HTTP_WHITELIST: new URL(registry).hostname } : {}),
  };
}

/** Lines like `global.index-url='https://…'`; those of the environment (`:env:`) win. */
function pipIndexes(list: string): { readonly index: readonly string[]; readonly extra: readonly string[] } {
  const values = (key: string): string[] => {
    const lines = list.split("\n").filter((line) => line.split("=")[0]?.endsWith(`.${key}`));
    const first = lines.find((line) => line.startsWith(":env:")) ?? lines[0];
    return first === undefined ? [] : (/='(.*)'$/.exec(first)?.[1] ?? "").split(/\\n|\s+/).filter((url) => url !== "");
  };
  return { index: values("index-url"), extra: values("extra-index-url") };
}

function hostOf(text: string): string[] {
  if (!URL.canParse(text)) return [];
  const url = new URL(text);
  if (url.port !== "") return [`${url.hostname}:${url.port}`];
  return [`${url.hostname}:${url.protocol === "http:" ? "80" : "443"}`];
}

function withoutCredentials(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  url.username = "";
  url.password = "";
  return url.href;
}

async function ask(program: string, args: readonly string[]): Promise<string | undefined> {
  return promisify(execFile)(program, [...args], { timeout: askWithinMs, cwd: "/" }).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
}

function parsed(text: string | undefined): Readonly<Record<string, string>> {
  try {
    return JSON.parse(text ?? "{}") as Record<string, string>;
  } catch {
    return {};
  }
}

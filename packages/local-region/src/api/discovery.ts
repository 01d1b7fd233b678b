import { noSuchPath } from "./api-error.ts";
import { openApi } from "./openapi.ts";
import { allResources, apiVersionOf, type Resource } from "./resources.ts";

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/** What clients negotiate features by. */
const served = { major: "1", minor: "32", gitVersion: "v1.32.0-slipway" };

/** Documents that say what this server is and has. Undefined for paths that are not of this kind; throws ApiError 404. */
export function discover(path: string, address: string): object | undefined {
  const parts = path.split("/").filter((part) => part !== "");
  const [root, group, version] = parts;
  if (path === "/version" || path === "/version/") return versionInfo();
  if (root === "openapi") return openApi(path);
  if (root === "api" && parts.length === 1) return coreVersions(address);
  if (root === "api" && parts.length === 2) return resourceList(String(group));
  if (root === "apis" && parts.length === 1) return { kind: "APIGroupList", apiVersion: "v1", groups: groups() };
  if (root === "apis" && parts.length === 2) return groupDocument(String(group));
  if (root === "apis" && parts.length === 3) return resourceList(`${group}/${version}`);
  return undefined;
}

function versionInfo(): object {
  return {
    ...served,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "",
    platform: `${process.platform}/${process.arch}`,
  };
}

function coreVersions(address: string): object {
  const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress: address }];
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs };
}

function groups(): object[] {
  const named = [...new Set(allResources.map(({ group }) => group))].filter((group) => group !== "");
  return named.map((name) => {
    const versions = [...new Set(allResources.filter(({ group }) => group === name).map(apiVersionOf))].map(
      (groupVersion) => ({ groupVersion, version: groupVersion.split("/")[1] }),
    );
    return { name, versions, preferredVersion: versions[0] };
  });
}

function groupDocument(name: string): object {
  const found = groups().find((group) => "name" in group && group.name === name);
  if (found === undefined) throw noSuchPath();
  return { kind: "APIGroup", apiVersion: "v1", ...found };
}

function resourceList(groupVersion: string): object {
  const resources = allResources.filter((resource) => apiVersionOf(resource) === groupVersion);
  if (resources.length === 0) throw noSuchPath();
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: resources.flatMap(entries) };
}

function entries(resource: Resource): object[] {
  const { plural, singular, kind, namespaced, shortNames, categories } = resource;
  const main = {
    ...{ name: plural, singularName: singular, namespaced, kind, verbs },
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
  };
  const part = (name: string, other: object) => ({ name: `${plural}/${name}`, singularName: "", namespaced, ...other });
  const readAndWrite = ["get", "patch", "update"];
  const scale = { group: "autoscaling", version: "v1", kind: "Scale", verbs: readAndWrite };
  return [
    main,
    ...(plural === "pods" ? [part("log", { kind, verbs: ["get"] })] : []),
    ...(resource.scale ? [part("scale", scale)] : []),
    ...(resource.status ? [part("status", { kind, verbs: readAndWrite })] : []),
  ];
}

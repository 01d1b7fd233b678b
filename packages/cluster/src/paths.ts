import type { Target } from "./port.ts";

/** Addresses in the Kubernetes API. */
const istio = "/apis/networking.istio.io/v1";

export const allVirtualServices = `${istio}/virtualservices`;
export const namespaces = "/api/v1/namespaces";

export function virtualServices({ environment }: Pick<Target, "environment">): string {
  return `${istio}/namespaces/${environment}/virtualservices`;
}

export function destinationRules({ environment }: Pick<Target, "environment">): string {
  return `${istio}/namespaces/${environment}/destinationrules`;
}

export function services({ environment }: Pick<Target, "environment">): string {
  return `${namespaces}/${environment}/services`;
}

export function secrets({ environment }: Pick<Target, "environment">): string {
  return `${namespaces}/${environment}/secrets`;
}

export function pods({ environment }: Pick<Target, "environment">): string {
  return `${namespaces}/${environment}/pods`;
}

export function endpointSlices({ environment }: Pick<Target, "environment">): string {
  return `/apis/discovery.k8s.io/v1/namespaces/${environment}/endpointslices`;
}

export function deployments({ environment }: Pick<Target, "environment">): string {
  return `/apis/apps/v1/namespaces/${environment}/deployments`;
}

export function virtualService(target: Target): string {
  return `${virtualServices(target)}/${target.service}`;
}

export function baseServicePath(target: Target): string {
  return `${services(target)}/${target.service}`;
}

/** Which service answers which paths, so that one client can speak to services that run apart. */
const owners = {
  "build-service": ["/api/v1/builds", "/api/v1/repositories", "/api/v1/audit/build-service", "/webhooks"],
  "artifact-registry": [
    "/api/v1/artifacts",
    "/api/v1/imports",
    "/api/v1/promotions",
    "/api/v1/audit/artifact-registry",
    "/v2",
  ],
  "deployment-orchestrator": [
    "/api/v1/deployments",
    "/api/v1/services",
    "/api/v1/environments",
    "/api/v1/regions",
    "/api/v1/pushes",
    "/api/v1/restore",
    "/api/v1/audit/deployment-orchestrator",
  ],
  "rollback-controller": ["/api/v1/watches", "/api/v1/audit/rollback-controller"],
  "notification-service": ["/api/v1/notifications", "/api/v1/audit/notification-service", "/inbox"],
  "metrics-aggregator": ["/api/v1/reports", "/api/v1/events", "/api/v1/audit/metrics-aggregator"],
} as const;

export type PlatformService = keyof typeof owners;

export const platformServices = Object.keys(owners) as readonly PlatformService[];

/** Which others each service calls. The others know of what happens by events. */
export const callees: Readonly<Record<PlatformService, readonly PlatformService[]>> = {
  "build-service": ["artifact-registry"],
  "artifact-registry": [],
  "deployment-orchestrator": ["artifact-registry", "rollback-controller"],
  "rollback-controller": [],
  "notification-service": [],
  "metrics-aggregator": [],
};

/** In which schema of the database each keeps what is its own. */
export const schemaOf: Readonly<Record<PlatformService, string>> = {
  "build-service": "build",
  "artifact-registry": "registry",
  "deployment-orchestrator": "deployment",
  "rollback-controller": "rollback",
  "notification-service": "notification",
  "metrics-aggregator": "metrics",
};

/** A path that only this service answers. */
export const pathOfOwner = (service: PlatformService): string => owners[service][0];

/** The service that owns a path, or undefined for paths that every service has (`/readyz`) or none. */
export function ownerOf(path: string): PlatformService | undefined {
  for (const [service, prefixes] of Object.entries(owners)) {
    if (prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))) return service as PlatformService;
  }
  return undefined;
}

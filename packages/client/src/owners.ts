/** Which service answers which paths, so that one client can speak to services that run apart. */
const owners = {
  "build-service": ["/api/v1/builds", "/api/v1/repositories", "/webhooks"],
  "artifact-registry": ["/api/v1/artifacts", "/api/v1/imports", "/api/v1/promotions", "/v2"],
  "deployment-orchestrator": [
    "/api/v1/deployments",
    "/api/v1/services",
    "/api/v1/environments",
    "/api/v1/regions",
    "/api/v1/pushes",
  ],
  "rollback-controller": ["/api/v1/watches"],
  "notification-service": ["/api/v1/notifications", "/inbox"],
  "metrics-aggregator": ["/api/v1/reports", "/api/v1/events"],
} as const;

export type PlatformService = keyof typeof owners;

/** The service that owns a path, or undefined for paths that every service has (`/readyz`) or none. */
export function ownerOf(path: string): PlatformService | undefined {
  for (const [service, prefixes] of Object.entries(owners)) {
    if (prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))) return service as PlatformService;
  }
  return undefined;
}

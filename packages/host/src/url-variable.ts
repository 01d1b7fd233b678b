/** `SLIPWAY_BUILD_SERVICE_URL` for `build-service`. */
export function urlVariable(service: string): string {
  return `SLIPWAY_${service.toUpperCase().replaceAll("-", "_")}_URL`;
}

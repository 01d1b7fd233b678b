import type { ErrorCode } from "./error-catalogue.ts";

/** What to do where the error itself does not say more. */
export const usualRemedies: Readonly<Partial<Record<ErrorCode, string>>> = {
  "request.invalid":
    "Compare the request with the endpoint at /docs; errors, where there are any, say what is wrong where.",
  "request.malformed": "Send one JSON object, as the endpoint at /docs shows it.",
  "request.too_large": "Send less at once.",
  "request.unsupported_media_type": "Send Content-Type: application/json, or none.",
  "auth.missing": "Send Authorization: Bearer with a token.",
  "auth.invalid": "Send a token of this platform; it may have been revoked.",
  "auth.forbidden": "Use the token of somebody who may do this, or ask one of them.",
  "route.not_found": "GET /openapi.json lists every endpoint.",
  "webhook.payload_invalid": "Let GitHub send push events with the content type application/json.",
  "build.not_found": "GET /api/v1/builds lists them.",
  "artifact.not_found": "GET /api/v1/artifacts lists them.",
  "import.not_found": "GET /api/v1/imports lists them.",
  "publication.nowhere": "The operator names a registry in SLIPWAY_PUBLISH_TO of the artifact-registry.",
  "promotion.not_found": "GET /api/v1/artifacts/DIGEST/promotions lists those of an artifact.",
  "deployment.not_found": "GET /api/v1/deployments lists them.",
  "deployment.phase": "Read its status: phase and waiting say what it allows now.",
  internal: "Try again; where it stays, look for the request id in the platform's log.",
};

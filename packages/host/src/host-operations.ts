import type { RawOperation } from "@slipway/contracts";
import { z } from "zod";

const readiness = z.object({
  status: z.string(),
  services: z.array(
    z.object({
      service: z.string(),
      ready: z.boolean(),
      reason: z.string().optional(),
      warnings: z.array(z.string()).optional(),
    }),
  ),
});

const serving = z.object({ status: z.string(), reason: z.string().optional() });

const open = { method: "GET", auth: "none", errors: "none" } as const;

/** What every process of Slipway answers. */
export const hostOperations: readonly RawOperation[] = [
  {
    ...open,
    id: "getLiveness",
    path: "/livez",
    summary: "Whether the process turns",
    answers: { 200: { description: "It does", type: "application/json", schema: z.object({ status: z.string() }) } },
  },
  {
    ...open,
    id: "getServing",
    path: "/servingz",
    summary: "Whether requests may be sent to this process",
    answers: {
      200: { description: "They may", type: "application/json", schema: serving },
      503: { description: "It has not started yet, or is stopping", type: "application/json", schema: serving },
    },
  },
  {
    ...open,
    id: "getReadiness",
    path: "/readyz",
    summary: "Whether each service of the process can work, and why not",
    answers: {
      200: { description: "All can", type: "application/json", schema: readiness },
      503: { description: "One cannot, or the process is stopping", type: "application/json", schema: readiness },
    },
  },
  {
    ...open,
    id: "getMetrics",
    path: "/metrics",
    summary: "The process's own metrics",
    answers: { 200: { description: "Prometheus text", type: "text/plain" } },
  },
  {
    ...open,
    id: "getOpenapi",
    path: "/openapi.json",
    summary: "This document",
    answers: { 200: { description: "OpenAPI 3.1", type: "application/json" } },
  },
  {
    ...open,
    id: "showDocs",
    path: "/docs",
    summary: "This document as a page",
    answers: { 200: { description: "The page", type: "text/html" } },
  },
];

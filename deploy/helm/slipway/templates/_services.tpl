{{/*
What is true of each service and nobody configures: its schema, the paths of the API that are its own (packages/client/src/owners.ts), what it is given, which
other services it calls, and what it reaches beside database and bus.
*/}}
{{- define "slipway.facts" -}}
build-service:
  schema: build
  paths: [/api/v1/builds, /api/v1/repositories, /api/v1/audit/build-service, /webhooks]
  valuesKey: true
  objects: true
  calls: [artifact-registry]
  reaches: [objects, builds]
artifact-registry:
  schema: registry
  paths: [/api/v1/artifacts, /api/v1/imports, /api/v1/promotions, /api/v1/audit/artifact-registry, /v2]
  objects: true
  registries: true
  calls: []
  reaches: [objects, foreignRegistries]
deployment-orchestrator:
  schema: deployment
  paths: [/api/v1/deployments, /api/v1/services, /api/v1/environments, /api/v1/regions, /api/v1/pushes, /api/v1/restore, /api/v1/audit/deployment-orchestrator, /docs, /openapi.json]
  valuesKey: true
  regions: regions
  calls: [artifact-registry, rollback-controller]
  reaches: [lock, cache, regions]
rollback-controller:
  schema: rollback
  paths: [/api/v1/watches, /api/v1/audit/rollback-controller]
  regions: rollbackRegions
  startsAnyway: true
  calls: []
  reaches: [regions]
notification-service:
  schema: notification
  paths: [/api/v1/notifications, /api/v1/audit/notification-service, /inbox]
  slack: true
  calls: []
  reaches: [slack]
metrics-aggregator:
  schema: metrics
  paths: [/api/v1/reports, /api/v1/events, /api/v1/audit/metrics-aggregator]
  calls: []
  reaches: []
{{- end }}

{{/* All services with what was configured for each: a map by name, as YAML. */}}
{{- define "slipway.services" -}}
{{- $facts := include "slipway.facts" . | fromYaml -}}
{{- range $name, $fact := $facts }}
{{- $own := index $.Values.services $name | default dict }}
{{- $all := mergeOverwrite (deepCopy $.Values.defaults) (deepCopy $own) $fact }}
{{- /* One's own list would stand in place of that of all, whose nodes are then closed to it. */}}
{{- $_ := set $all "tolerations" (concat $.Values.defaults.tolerations ($own.tolerations | default list) | uniq) }}
{{ $name }}: {{ $all | toJson }}
{{- end }}
{{- end }}

{{/* The pod of one service: .root, .name, .service (of slipway.services). */}}
{{- define "slipway.pod" -}}
{{- $root := .root }}
{{- $name := .name }}
{{- $service := .service }}
{{- $asJobs := and (eq $name "build-service") (eq $root.Values.builds.executor "kubernetes") }}
{{- $isolated := and (eq $name "build-service") (not $asJobs) (eq $root.Values.builds.isolation "namespaces") }}
{{- $keys := dict "database" "SLIPWAY_DATABASE_URL_FILE" "bus" "SLIPWAY_BUS_URL_FILE" }}
{{- if has "lock" $service.reaches }}{{ $_ := set $keys "lock" "SLIPWAY_LOCK_URL_FILE" }}{{ end }}
{{- if has "cache" $service.reaches }}{{ $_ := set $keys "cache" "SLIPWAY_CACHE_URL_FILE" }}{{ end }}
{{- if $service.objects }}{{ $_ := set $keys "objects" "SLIPWAY_OBJECTS_URL_FILE" }}{{ end }}
{{- if $service.slack }}{{ $_ := set $keys "slack" "SLIPWAY_SLACK_WEBHOOK_URL_FILE" }}{{ end }}
serviceAccountName: {{ include "slipway.nameOf" . }}
automountServiceAccountToken: {{ $asJobs }}
enableServiceLinks: false
# What a service has begun is rows: the next one goes on with them. This is for answers that are under way.
terminationGracePeriodSeconds: 40
{{- if $isolated }}
hostUsers: false
{{- end }}
securityContext:
  {{- include "slipway.podSecurity" . | nindent 2 }}
  seccompProfile: { type: {{ ternary "Unconfined" "RuntimeDefault" $isolated }} }
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $service.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $service.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $service.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $service.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: { matchLabels: {{ include "slipway.selector" $ | fromYaml | toJson }} }
  {{- end }}
{{- with $service.initContainers }}
initContainers: {{ toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ $name }}
    image: {{ include "slipway.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: [{{ $name }}]
    ports:
      - { name: http, containerPort: 7400 }
    env:
      {{- range include "slipway.chartEnv" (dict "of" . "service" $service "keys" $keys "asJobs" $asJobs "isolated" $isolated) | fromYamlArray }}
      {{- if not (hasKey (default dict $service.env) .name) }}
      - {{ toJson . }}
      {{- end }}
      {{- end }}
      {{- range $variable, $value := $service.env }}
      - { name: {{ $variable }}, value: {{ $value | quote }} }
      {{- end }}
    # All is well once, or the rollout goes no further; the log and /readyz say what is not. What goes wrong later takes no process out of service: an API
    # that answers is of more use than none, above all for taking something back.
    startupProbe: { httpGet: { path: {{ ternary "/servingz" "/readyz" (default false $service.startsAnyway) }}, port: http }, periodSeconds: 3, timeoutSeconds: 5, failureThreshold: 1200 }
    readinessProbe: { httpGet: { path: /servingz, port: http }, periodSeconds: 3, timeoutSeconds: 5, failureThreshold: 2 }
    livenessProbe: { httpGet: { path: /livez, port: http }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }
    lifecycle:
      # Until nobody sends requests here any more.
      preStop: { sleep: { seconds: 5 } }
    securityContext:
      {{- include "slipway.restricted" . | nindent 6 }}
      {{- if $isolated }}
      procMount: Unmasked
      {{- end }}
    resources: {{ toYaml $service.resources | nindent 6 }}
    volumeMounts:
      - { name: data, mountPath: /data }
      - { name: tokens, mountPath: /data/tokens, readOnly: true }
      - { name: secrets, mountPath: /data/secrets, readOnly: true }
      - { name: temporary, mountPath: /tmp }
      - { name: urls, mountPath: /etc/slipway/urls, readOnly: true }
      {{- if $service.regions }}
      - { name: regions, mountPath: /etc/slipway/regions, readOnly: true }
      {{- end }}
      {{- if and $service.objects $root.Values.objects.credentialsSecret }}
      - { name: objects, mountPath: /etc/slipway/objects, readOnly: true }
      {{- end }}
      {{- if and $service.registries $root.Values.registries.secret }}
      - { name: registries, mountPath: /etc/slipway/registries, readOnly: true }
      {{- end }}
      {{- include "slipway.caMount" $root | nindent 6 }}
      {{- with $service.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  {{- with $service.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  - name: data
    {{- if $service.data.claim }}
    # Each pod has one of its own, which goes with it: what it holds can be made again.
    ephemeral:
      volumeClaimTemplate:
        metadata: { labels: {{ include "slipway.selector" $ | fromYaml | toJson }} }
        spec:
          accessModes: [ReadWriteOnce]
          {{- with $service.data.storageClass }}
          storageClassName: {{ . }}
          {{- end }}
          resources: { requests: { storage: {{ $service.data.size }} } }
    {{- else }}
    emptyDir: { sizeLimit: {{ $service.data.size }} }
    {{- end }}
  - name: temporary
    emptyDir: { sizeLimit: 1Gi }
  - name: tokens
    secret:
      secretName: {{ $root.Values.secrets.tokens }}
      defaultMode: 0440
      items: [{ key: {{ $name }}, path: {{ $name }} }]
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        - secret:
            name: {{ $root.Values.secrets.postgres }}
            items: [{ key: slipway_{{ $service.schema }}, path: postgres/slipway_{{ $service.schema }} }]
        {{- if $service.valuesKey }}
        - secret:
            name: {{ $root.Values.secrets.valuesKey }}
            items: [{ key: values.key, path: values.key }]
        {{- end }}
  {{- include "slipway.urlVolume" (dict "root" $root "keys" $keys) | nindent 2 }}
  {{- if $service.regions }}
  - name: regions
    secret: { secretName: {{ index $root.Values.secrets $service.regions }}, defaultMode: 0440 }
  {{- end }}
  {{- if and $service.objects $root.Values.objects.credentialsSecret }}
  - name: objects
    secret: { secretName: {{ $root.Values.objects.credentialsSecret }}, defaultMode: 0440 }
  {{- end }}
  {{- if and $service.registries $root.Values.registries.secret }}
  - name: registries
    secret: { secretName: {{ $root.Values.registries.secret }}, defaultMode: 0440 }
  {{- end }}
  {{- include "slipway.caVolume" $root | nindent 2 }}
  {{- with $service.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* What the chart itself sets. A variable that services.*.env names is the operator's, and stands once. */}}
{{- define "slipway.chartEnv" -}}
{{- $root := .of.root }}
{{- include "slipway.commonEnv" $root }}
{{ include "slipway.serviceEnv" .of }}
{{ include "slipway.urlEnv" (dict "root" $root "keys" .keys) }}
{{- if .service.regions }}
- { name: SLIPWAY_REGIONS, value: /etc/slipway/regions/regions.yaml }
{{- end }}
{{- if .asJobs }}
- { name: SLIPWAY_EXECUTOR, value: {{ include "slipway.executorUrl" $root | quote }} }
{{- else if eq .of.name "build-service" }}
- { name: SLIPWAY_ISOLATION, value: {{ ternary "auto" "none" .isolated }} }
{{- end }}
{{- if .service.objects }}
{{- with $root.Values.objects.awsRegion }}
- { name: AWS_REGION, value: {{ . }} }
{{- end }}
{{- if $root.Values.objects.credentialsSecret }}
- { name: AWS_SHARED_CREDENTIALS_FILE, value: /etc/slipway/objects/credentials }
{{- end }}
{{- end }}
{{- if .service.registries }}
{{- with $root.Values.registries.publishTo }}
- { name: SLIPWAY_PUBLISH_TO, value: {{ . | quote }} }
{{- end }}
{{- if $root.Values.registries.secret }}
- { name: SLIPWAY_EXTERNAL_REGISTRIES, value: /etc/slipway/registries/registries.json }
{{- end }}
{{- end }}
{{- end }}

{{- define "slipway.publicUrl" -}}
{{- if hasSuffix "/" .Values.publicUrl }}
{{- fail (printf "publicUrl: what comes behind it begins with a slash: leave the one at the end of %s out" .Values.publicUrl) }}
{{- end }}
{{- .Values.publicUrl }}
{{- end }}

{{/* A name of production that no environment has would take production's rules away from the one that was meant. */}}
{{- define "slipway.production" -}}
{{- $none := and (eq (len .Values.production) 1) (has "none" .Values.production) }}
{{- range .Values.production }}
{{- if not (or $none (has . $.Values.environments)) }}
{{- fail (printf "production: %s is not among environments (%s): name those of them that are production, or say [none] where none is" . (join ", " $.Values.environments)) }}
{{- end }}
{{- end }}
{{- join "," .Values.production }}
{{- end }}

{{- define "slipway.serviceEnv" -}}
- { name: SLIPWAY_HOST, value: "0.0.0.0" }
- { name: SLIPWAY_PORT, value: "7400" }
- { name: SLIPWAY_URL, value: {{ include "slipway.publicUrl" .root | quote }} }
- { name: SLIPWAY_ENVIRONMENTS, value: {{ join "," .root.Values.environments | quote }} }
- { name: SLIPWAY_PRODUCTION, value: {{ include "slipway.production" .root | quote }} }
- { name: SLIPWAY_MINIMUM_BAKE, value: {{ .root.Values.minimumBake }} }
{{- range $name, $_ := include "slipway.facts" .root | fromYaml }}
- { name: SLIPWAY_{{ $name | upper | replace "-" "_" }}_URL, value: "http://{{ include "slipway.nameOf" (dict "root" $.root "name" $name) }}:7400" }
{{- end }}
{{- end }}

{{/*
Completes .Values by what values.yaml has and they lack: `helm upgrade --reuse-values` brings those of a release that was older than this chart. Each template
begins with it, since nothing says which is rendered first.
*/}}
{{- define "slipway.values" -}}
{{- include "slipway.complete" (dict "values" .Values "defaults" (.Files.Get "files/values.yaml" | fromYaml)) }}
{{- end }}

{{/* Maps whose keys are the operator's own stay as they are. */}}
{{- define "slipway.complete" -}}
{{- $own := list "env" "resources" "quota" "labels" "podLabels" "nodeSelector" "annotations" "podAnnotations" "serviceAccountAnnotations" "serviceAnnotations" "affinity" }}
{{- range $key, $default := .defaults }}
{{- if not (hasKey $.values $key) }}
{{- $_ := set $.values $key $default }}
{{- else if and (kindIs "map" $default) (kindIs "map" (index $.values $key)) (not (has $key $own)) }}
{{- include "slipway.complete" (dict "values" (index $.values $key) "defaults" $default) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "slipway.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "slipway.labels" -}}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{ include "slipway.selector" . }}
{{- end }}

{{- define "slipway.selector" -}}
app.kubernetes.io/part-of: slipway
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .name }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* .root, .name: the object of one service. */}}
{{- define "slipway.nameOf" -}}
{{ printf "%s-%s" .root.Release.Name .name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* A container of the image as Pod Security "restricted" wants it. */}}
{{- define "slipway.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* Where the pod of a job is put: .root, and .own, its values. As for the services, what `defaults` says holds for it, too. */}}
{{- define "slipway.placement" -}}
{{- $defaults := .root.Values.defaults }}
{{- with .own.priorityClassName | default $defaults.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with merge (dict) .own.nodeSelector $defaults.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with concat .own.tolerations $defaults.tolerations | uniq }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels of that pod: .root, .name, .own. What selectors look for is the chart's. */}}
{{- define "slipway.jobLabels" -}}
{{ merge (include "slipway.labels" . | fromYaml) .own.podLabels .root.Values.defaults.podLabels | toYaml }}
{{- end }}

{{- define "slipway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
{{- end }}

{{/* Variables of files in /etc/slipway/urls: .root, .keys (variable by name of urlKeys). */}}
{{- define "slipway.urlEnv" -}}
{{- range $key, $variable := .keys }}
{{- if index $.root.Values.urlKeys $key }}
- { name: {{ $variable }}, value: /etc/slipway/urls/{{ $key }} }
{{- end }}
{{- end }}
{{- end }}

{{/* The projected volume behind them. */}}
{{- define "slipway.urlVolume" -}}
- name: urls
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ .root.Values.secrets.urls }}
          items:
            {{- range $key, $variable := .keys }}
            {{- with index $.root.Values.urlKeys $key }}
            - { key: {{ . }}, path: {{ $key }} }
            {{- end }}
            {{- end }}
{{- end }}

{{- define "slipway.commonEnv" -}}
- { name: SLIPWAY_DATA, value: /data }
- { name: SLIPWAY_LOG_LEVEL, value: {{ .Values.logLevel }} }
- { name: SLIPWAY_PREPARED, value: "true" }
{{- if .Values.caConfigMap }}
- { name: NODE_EXTRA_CA_CERTS, value: /etc/slipway/ca/ca.crt }
{{- end }}
{{- end }}

{{- define "slipway.caVolume" -}}
{{- with .Values.caConfigMap }}
- name: ca
  configMap: { name: {{ . }} }
{{- end }}
{{- end }}

{{- define "slipway.caMount" -}}
{{- if .Values.caConfigMap }}
- { name: ca, mountPath: /etc/slipway/ca, readOnly: true }
{{- end }}
{{- end }}

{{/*
The name of everything in a release: its own, with the name of the chart unless it says so. A release
may have dots in its name and a Service may not.
*/}}
{{- define "rind.fullname" -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $chart .Release.Name -}}
{{- .Release.Name | replace "." "-" | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $chart | replace "." "-" | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The ServiceAccount. */}}
{{- define "rind.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "rind.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the pods; they cannot be changed once they are applied. */}}
{{- define "rind.selector" -}}
app.kubernetes.io/name: rind
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "rind.labels" -}}
{{ include "rind.selector" . }}
app.kubernetes.io/part-of: rind
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* How long rind serves on after SIGTERM. */}}
{{- define "rind.lameDuck" -}}
{{- if kindIs "invalid" .Values.lameDuckSeconds -}}
{{- ternary 15 5 (eq .Values.kind "Deployment") -}}
{{- else -}}
{{- .Values.lameDuckSeconds -}}
{{- end -}}
{{- end -}}

{{/* A variable for a list of values, if there are any. */}}
{{- define "rind.list" -}}
{{- if .values }}
- name: {{ .name }}
  value: {{ join "," .values | quote }}
{{- end }}
{{- end -}}

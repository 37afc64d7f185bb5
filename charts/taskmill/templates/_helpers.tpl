{{/* First part of all names. */}}
{{- define "taskmill.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "taskmill.operatorName" -}}
{{ include "taskmill.fullname" . }}-operator
{{- end -}}

{{/* The embedded Redis is named after the release, so that its address can be told before the chart is installed. */}}
{{- define "taskmill.redisName" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}-redis
{{- end -}}

{{- define "taskmill.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "taskmill.operatorName" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "taskmill.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels that select the pods of a component: they can never change. Call with (list $ "operator"). */}}
{{- define "taskmill.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Reference of an image. Call with (list image defaultTag). */}}
{{- define "taskmill.image" -}}
{{- $image := index . 0 -}}
{{- $name := ternary (printf "%s/%s" $image.registry $image.repository) $image.repository (ne $image.registry "") -}}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ $image.tag | default (index . 1) }}
{{- end -}}
{{- end -}}

{{/* What the Pod Security Standard "restricted" asks of a container, and a root file system that cannot be written. */}}
{{- define "taskmill.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop:
    - ALL
readOnlyRootFilesystem: true
{{- end -}}

{{/*
A role of the operator and its binding: in one namespace, or for the whole cluster where the namespace is empty.
Call with (dict "root" $ "part" "events" "namespace" "" "rules" "…").
*/}}
{{- define "taskmill.boundRole" -}}
{{- $scope := ternary "Cluster" "" (empty .namespace) -}}
{{- $name := printf "%s-%s" (include "taskmill.operatorName" .root) .part }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}Role
metadata:
  name: {{ $name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "taskmill.labels" .root | nindent 4 }}
    app.kubernetes.io/component: operator
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}RoleBinding
metadata:
  name: {{ $name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "taskmill.labels" .root | nindent 4 }}
    app.kubernetes.io/component: operator
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $scope }}Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "taskmill.serviceAccountName" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}

{{- define "kilonova.name" -}}
{{- if contains "kilonova" .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-kilonova" .Release.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "kilonova.selector" -}}
app.kubernetes.io/name: kilonova-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kilonova.labels" -}}
{{ include "kilonova.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "dsocr.labels" -}}
app.kubernetes.io/name: dsocr
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "dsocr.selector" -}}
app.kubernetes.io/name: dsocr
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dsocr.checked" -}}
{{- if and (not .Values.shared) (or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled .Values.keda.enabled) }}
{{- fail "Several replicas need shared: true, with DEEPSEEK_OCR_DATABASE_URL and DEEPSEEK_OCR_STORAGE_URL set." }}
{{- end }}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled }}
{{- fail "Enable autoscaling or keda, not both." }}
{{- end }}
{{- end }}

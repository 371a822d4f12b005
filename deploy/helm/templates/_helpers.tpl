{{- define "earshot.name" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "earshot.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "earshot.labels" -}}
{{ include "earshot.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "earshot.image" -}}
{{ required "image.repository: an image built from deploy/Dockerfile" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* What servers and workers share. */}}
{{- define "earshot.env" -}}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: EARSHOT_HOST
  value: "0.0.0.0"
- name: EARSHOT_PORT
  value: "8080"
- name: EARSHOT_MODEL_DIR
  value: /models
- name: EARSHOT_CONFIG
  value: /models/models.yaml
- name: XDG_CACHE_HOME
  value: /models/.cache
- name: XDG_STATE_HOME
  value: /tmp/state
- name: EARSHOT_QUEUE
  valueFrom:
    secretKeyRef:
      name: {{ required "queue.existingSecret: a secret with the URL of Redis, Valkey or PostgreSQL" .Values.queue.existingSecret }}
      key: {{ .Values.queue.key }}
- name: EARSHOT_BLOBS
  value: {{ .Values.blobs.url | default "/blobs" | quote }}
{{- if .Values.blobs.url }}
- name: AWS_REGION
  value: {{ .Values.blobs.region | quote }}
{{- with .Values.blobs.endpoint }}
- name: AWS_ENDPOINT_URL_S3
  value: {{ . | quote }}
{{- end }}
{{- $secret := required "blobs.existingSecret: a secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" .Values.blobs.existingSecret }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ . }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "earshot.mounts" -}}
- name: temporary
  mountPath: /tmp
- name: models
  mountPath: /models
{{- if not .Values.blobs.url }}
- name: blobs
  mountPath: /blobs
{{- end }}
{{- end -}}

{{- define "earshot.blobs" -}}
{{- if not .Values.blobs.url }}
- name: blobs
  persistentVolumeClaim:
    claimName: {{ .Values.blobs.existingClaim | default (printf "%s-blobs" (include "earshot.name" .)) }}
{{- end }}
{{- end -}}

{{/* Of every pod. */}}
{{- define "earshot.pod" -}}
# A service called earshot would set EARSHOT_PORT to tcp://…
enableServiceLinks: false
automountServiceAccountToken: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext: {{ toJson .Values.podSecurityContext }}
{{- end -}}

{{- define "earshot.placing" -}}
{{- with .nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .affinity }}
affinity: {{ toJson . }}
{{- end }}
{{- end -}}

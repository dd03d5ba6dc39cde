{{- define "disco.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* What tells one Deployment's pods from all others; it never changes. Of: root, component. */ -}}
{{- define "disco.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "disco.labels" -}}
{{ include "disco.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- /* A value as an environment has it: whole numbers without an exponent. */ -}}
{{- define "disco.text" -}}
{{- if kindIs "float64" . }}{{ if eq . (floor .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- /* Every name that the API is reached by within the cluster, through the Ingress, and as told, as arguments. */ -}}
{{- define "disco.allowHosts" -}}
{{- $service := include "disco.fullname" . }}
{{- $inside := list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) }}
{{- $hosts := concat $inside (list (printf "%s.%s.svc.cluster.local" $service .Release.Namespace)) .Values.api.allowHosts }}
{{- if .Values.api.ingress.enabled }}{{ $hosts = concat $hosts .Values.api.ingress.hosts }}{{ end }}
{{- range $hosts | uniq }}
- --allow-host
- {{ . | quote }}
{{- end }}
{{- end }}

{{- /* A pod's template. Of: root, component, tag, resources, grace, container (args, ports, probes as YAML), annotations. */ -}}
{{- define "disco.pod" -}}
metadata:
  labels: {{- include "disco.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
spec:
  automountServiceAccountToken: false
  # Kubernetes would tell DISCO_PORT and the like of a Service named disco, in its own form.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .grace }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: {type: RuntimeDefault}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "disco.selector" $ | nindent 10 }}
    {{- end }}
  containers:
    - name: disco
      image: {{ printf "%s:%s" .root.Values.image.repository (.tag | default .root.Values.image.tag | default .root.Chart.AppVersion) | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      {{- .container | nindent 6 }}
      env:
        - {name: DISCO_PROFILE, value: server}
        - {name: DISCO_HOME, value: /data}
        {{- range $name, $value := .root.Values.settings }}
        - {name: {{ printf "DISCO_%s" (upper $name) }}, value: {{ include "disco.text" $value | quote }}}
        {{- end }}
        # By default it would count the processors of the node.
        - name: DISCO_WORKERS
          valueFrom:
            resourceFieldRef: {resource: limits.cpu, divisor: "1"}
        {{- range $name, $where := .root.Values.servers }}
        - name: {{ printf "DISCO_%s" (upper $name) }}
          valueFrom:
            secretKeyRef: {name: {{ $where.secret | quote }}, key: {{ $where.key | quote }}}
        {{- end }}
        {{- with .root.Values.kafka.password }}
        - name: DISCO_KAFKA_PASSWORD
          valueFrom:
            secretKeyRef: {name: {{ .secret | quote }}, key: {{ .key | quote }}}
        {{- end }}
        {{- with .root.Values.kafka.ca }}
        - {name: DISCO_KAFKA_CA_FILE, value: {{ printf "/kafka/%s" .key | quote }}}
        {{- end }}
      resources: {{- toYaml .resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: home, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        {{- if .root.Values.kafka.ca }}
        - {name: kafka-ca, mountPath: /kafka, readOnly: true}
        {{- end }}
  volumes:
    - name: home
      emptyDir: {sizeLimit: {{ .root.Values.storage.home | quote }}}
    - name: tmp
      emptyDir: {sizeLimit: {{ .root.Values.storage.tmp | quote }}}
    {{- with .root.Values.kafka.ca }}
    - name: kafka-ca
      secret:
        secretName: {{ .secret | quote }}
        items: [{key: {{ .key | quote }}, path: {{ .key | quote }}}]
    {{- end }}
{{- end }}

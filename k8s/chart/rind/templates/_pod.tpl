{{/* Flags of `rind run`, as variables. */}}
{{- define "rind.environment" -}}
{{- $host := eq .Values.kind "DaemonSet" -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: RIND_POD
  value: $(POD_NAMESPACE)/$(POD_NAME)
- name: RIND_HTTP
  value: {{ printf "[::]:%d" (ternary (int .Values.ports.http) 8000 $host) | quote }}
- name: RIND_HTTPS
  value: {{ printf "[::]:%d" (ternary (int .Values.ports.https) 8443 $host) | quote }}
- name: RIND_ADMIN
  value: {{ printf "%s:%d" (ternary "127.0.0.1" "[::]" (and $host .Values.admin.local)) (int .Values.ports.admin) | quote }}
{{- if and (not $host) (not .Values.publish.addresses) }}
- name: RIND_PUBLISH_SERVICE
  value: {{ printf "%s/%s" .Release.Namespace (include "rind.fullname" .) }}
{{- end }}
{{- if not $host }}
- name: RIND_REDIRECT_PORT
  value: {{ .Values.ports.https | quote }}
{{- end }}
- name: RIND_WORKERS
  value: {{ .Values.workers | quote }}
- name: RIND_STATE
  value: /var/run/rind
- name: RIND_LAME_DUCK
  value: {{ include "rind.lameDuck" . }}s
- name: RIND_DRAIN
  value: {{ .Values.drainSeconds }}s
{{- if ne (include "rind.fullname" .) "rind" }}
- name: RIND_LEASE
  value: {{ printf "%s/%s" .Release.Namespace (include "rind.fullname" .) }}
{{- end }}
{{- if ne .Values.class.name "rind" }}
- name: RIND_CLASS
  value: {{ .Values.class.name | quote }}
{{- end }}
{{- if ne .Values.class.controller "rind.dev/ingress-controller" }}
- name: RIND_CONTROLLER
  value: {{ .Values.class.controller | quote }}
{{- end }}
{{- if .Values.withoutClass }}
- name: RIND_WITHOUT_CLASS
  value: "true"
{{- end }}
{{- include "rind.list" (dict "name" "RIND_NAMESPACES" "values" .Values.namespaces) }}
{{- with .Values.namespaceSelector }}
- name: RIND_NAMESPACE_SELECTOR
  value: {{ . | quote }}
{{- end }}
{{- if .Values.secrets.clusterWide }}
- name: RIND_SECRETS
  value: all
{{- end }}
{{- include "rind.list" (dict "name" "RIND_EXTERNAL_NAMES" "values" .Values.externalNames) }}
{{- include "rind.list" (dict "name" "RIND_ALLOW_ADDRESS" "values" .Values.allowAddresses) }}
{{- include "rind.list" (dict "name" "RIND_PUBLISH_ADDRESS" "values" .Values.publish.addresses) }}
{{- if and $host (eq .Values.publish.nodeAddress "ExternalIP") }}
- name: RIND_NODE_ADDRESS
  value: ExternalIP
{{- end }}
{{- with .Values.tls.defaultCertificate }}
- name: RIND_DEFAULT_CERTIFICATE
  value: {{ . | quote }}
{{- end }}
{{- if ne .Values.tls.minVersion "1.2" }}
- name: RIND_TLS_MIN_VERSION
  value: {{ .Values.tls.minVersion | quote }}
{{- end }}
{{- with .Values.tls.ciphers }}
- name: RIND_TLS_CIPHERS
  value: {{ . | quote }}
{{- end }}
{{- if ne .Values.tls.unknownServerName "default" }}
- name: RIND_UNKNOWN_SNI
  value: {{ .Values.tls.unknownServerName }}
{{- end }}
{{- if not .Values.tls.redirect }}
- name: RIND_SSL_REDIRECT
  value: "off"
{{- end }}
{{- with .Values.tls.hsts }}
- name: RIND_HSTS
  value: {{ . | quote }}
{{- end }}
{{- include "rind.list" (dict "name" "RIND_PROXY_PROTOCOL" "values" .Values.proxyProtocol) }}
{{- include "rind.list" (dict "name" "RIND_TRUSTED_PROXY" "values" .Values.trustedProxies) }}
{{- include "rind.list" (dict "name" "RIND_LIMIT" "values" .Values.limits) }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A probe of the admin address. */}}
{{- define "rind.probe" -}}
httpGet:
  path: {{ .path }}
  port: admin
{{- if and (eq .Values.kind "DaemonSet") .Values.admin.local }}
  host: 127.0.0.1
{{- end }}
{{- end -}}

{{/* `template` of a DaemonSet or Deployment. */}}
{{- define "rind.pod" -}}
{{- $host := eq .Values.kind "DaemonSet" -}}
{{- $own := list (int .Values.ports.admin) -}}
{{- if $host -}}
{{- $own = append (append $own (int .Values.ports.http)) (int .Values.ports.https) -}}
{{- else -}}
{{- $own = append (append $own 8000) 8443 -}}
{{- end -}}
{{- if ne (len $own) (len (uniq $own)) -}}
{{- fail (printf "ports: two of %v are the same" $own) -}}
{{- end -}}
metadata:
  labels:
    {{- include "rind.selector" . | nindent 4 }}
    app.kubernetes.io/part-of: rind
    app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "rind.account" . | quote }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  {{- if $host }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  tolerations:
    {{- toYaml (default (list (dict "operator" "Exists")) .Values.tolerations) | nindent 4 }}
  {{- else }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "rind.selector" $ | nindent 10 }}
    {{- end }}
    {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  terminationGracePeriodSeconds: {{ add (include "rind.lameDuck" . | int) .Values.drainSeconds 25 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: rind
      image: {{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - run
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        {{- include "rind.environment" . | nindent 8 }}
      ports:
        - name: http
          containerPort: {{ ternary .Values.ports.http 8000 $host }}
          {{- if $host }}
          hostPort: {{ .Values.ports.http }}
          {{- end }}
        - name: https
          containerPort: {{ ternary .Values.ports.https 8443 $host }}
          {{- if $host }}
          hostPort: {{ .Values.ports.https }}
          {{- end }}
        - name: admin
          containerPort: {{ .Values.ports.admin }}
          {{- if $host }}
          hostPort: {{ .Values.ports.admin }}
          {{- end }}
      startupProbe:
        {{- include "rind.probe" (dict "path" "/livez" "Values" .Values) | nindent 8 }}
        periodSeconds: 1
        failureThreshold: 60
      livenessProbe:
        {{- include "rind.probe" (dict "path" "/livez" "Values" .Values) | nindent 8 }}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        {{- include "rind.probe" (dict "path" "/readyz" "Values" .Values) | nindent 8 }}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        readOnlyRootFilesystem: true
        allowPrivilegeEscalation: false
        capabilities:
          drop: [ALL]
          {{- if $host }}
          add: [NET_BIND_SERVICE]
          {{- end }}
      volumeMounts:
        - name: token
          mountPath: /var/run/secrets/kubernetes.io/serviceaccount
          readOnly: true
        - name: state
          mountPath: /var/run/rind
  volumes:
    - name: token
      projected:
        sources:
          - serviceAccountToken:
              path: token
              expirationSeconds: 3600
          - configMap:
              name: kube-root-ca.crt
              items:
                - key: ca.crt
                  path: ca.crt
          - downwardAPI:
              items:
                - path: namespace
                  fieldRef:
                    fieldPath: metadata.namespace
    - name: state
      emptyDir:
        medium: Memory
        sizeLimit: 64Mi
{{- end -}}

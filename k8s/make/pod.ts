/** The pod, in its two places: on the network of its node, or behind a load balancer. */
import { version } from "../../package.json";
import { SELECTOR } from "./base.ts";
import { comment, indent } from "./text.ts";

/** `host`: the ports of the node are rind's own. `balanced`: a Service sends traffic here. */
export type Place = "host" | "balanced";

/** How long rind serves on after SIGTERM. The nodes of a load balancer learn of it by probing. */
const LAME_DUCK_S = { host: 5, balanced: 15 } as const;
const DRAIN_S = 30;
/** For what comes after: closing, and the last words to the API server. */
const SPARE_S = 25;

const IMAGE = `# No registry has this image: build it (README), and name it as you push it.
# With kustomize that is \`images\`, with Helm \`image.repository\`.
image: rind:${version}
imagePullPolicy: IfNotPresent
`;

const PROBES = `# None of these asks the API server: while it is away, rind serves what it knows.
startupProbe:
  httpGet:
    path: /livez
    port: admin
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet:
    path: /livez
    port: admin
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
# Ready is who has read all of the cluster and serves it with every worker.
readinessProbe:
  httpGet:
    path: /readyz
    port: admin
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
`;

const RESOURCES = `resources:
  requests:
    cpu: 100m
    memory: 256Mi
  # Workers take as many connections as fit, 144 KiB each; this is room for five thousand.
  # There is no limit of CPU: a proxy that is throttled makes everything behind it slow.
  limits:
    memory: 1Gi
`;

const CONTAINER_SECURITY = `securityContext:
  runAsNonRoot: true
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
`;
/** Runtimes leave what is added within reach of a process without root; rind takes it up. */
const LOW_PORTS = `    # For ports below 1024.
    add: [NET_BIND_SERVICE]
`;

const POD_SECURITY = `securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  # Lets that user read the token.
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
`;

const MOUNTS = `volumeMounts:
  - name: token
    mountPath: /var/run/secrets/kubernetes.io/serviceaccount
    readOnly: true
  - name: state
    mountPath: /var/run/rind
`;

const VOLUMES = `volumes:
  # What automountServiceAccountToken would mount, with a token of one hour; rind rereads it.
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
  # What was served last: a container that starts while the API server is away begins with it.
  # It may hold private keys, so it is memory, and ends with the pod.
  - name: state
    emptyDir:
      medium: Memory
      sizeLimit: 64Mi
`;

const OWN_NAME = `- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: RIND_POD
  value: $(POD_NAMESPACE)/$(POD_NAME)
`;

const WORKERS = `# Processes; \`auto\` is one a core, which on a large node takes more memory.
- name: RIND_WORKERS
  value: "2"
`;

/** Flags of `rind run` that are not the defaults, or belong to other fields here. */
function environment(place: Place): string {
  const host = place === "host";
  const admin = host
    ? "Health, routes and findings, without secrets, for whoever reaches the node. With " +
      "127.0.0.1:8080 only the node does; then give the probes `host: 127.0.0.1` too."
    : "Health, routes and findings, without secrets. No Service leads here.";
  const address = host
    ? ""
    : `# The address that Ingresses show is the one of this Service.
- name: RIND_PUBLISH_SERVICE
  value: rind/rind
# So is the port that clients are redirected to.
- name: RIND_REDIRECT_PORT
  value: "443"
`;
  const owner = host ? "node" : "pod";
  return `env:
${indent(OWN_NAME, 2)}  # Every address of the ${owner}. A kernel without any IPv6 needs 0.0.0.0.
  - name: RIND_HTTP
    value: "[::]:${host ? 80 : 8000}"
  - name: RIND_HTTPS
    value: "[::]:${host ? 443 : 8443}"
${indent(comment(admin, 12), 2)}  - name: RIND_ADMIN
    value: "[::]:8080"
${indent(address + WORKERS, 2)}  - name: RIND_STATE
    value: /var/run/rind
  # Together less than terminationGracePeriodSeconds.
  - name: RIND_LAME_DUCK
    value: ${LAME_DUCK_S[place]}s
  - name: RIND_DRAIN
    value: ${DRAIN_S}s
`;
}

function ports(place: Place): string {
  if (place === "balanced") {
    return `ports:
  - name: http
    containerPort: 8000
  - name: https
    containerPort: 8443
  - name: admin
    containerPort: 8080
`;
  }
  return `# These are ports of the node; saying so keeps another pod from wanting one of them.
ports:
  - name: http
    containerPort: 80
    hostPort: 80
  - name: https
    containerPort: 443
    hostPort: 443
  - name: admin
    containerPort: 8080
    hostPort: 8080
`;
}

function container(place: Place): string {
  return `- name: rind
${indent(IMAGE, 2)}  args: [run]
${indent(environment(place) + ports(place) + PROBES + RESOURCES, 2)}${indent(
    CONTAINER_SECURITY + (place === "host" ? LOW_PORTS : "") + MOUNTS,
    2,
  )}`;
}

const ON_HOST = `# The pod is reached where the node is: its ports 80 and 443 are rind's.
hostNetwork: true
# Without this the pod would ask the node's own DNS server, which does not know Services.
dnsPolicy: ClusterFirstWithHostNet
# Every taint, so that control-plane nodes serve too, and nodes that are being repaired.
tolerations:
  - operator: Exists
`;

const SPREAD = `# On different nodes, in different zones, where there are some.
topologySpreadConstraints:
${["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
  .map(
    (key) => `  - maxSkew: 1
    topologyKey: ${key}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
${indent(SELECTOR, 8)}`,
  )
  .join("")}`;

/** `template` of a DaemonSet or Deployment. */
export function podTemplate(place: Place): string {
  return `template:
  metadata:
    labels:
${indent(SELECTOR, 6)}      app.kubernetes.io/part-of: rind
      app.kubernetes.io/version: ${version}
  spec:
    serviceAccountName: rind
    # Mounted below instead.
    automountServiceAccountToken: false
    # A Service called rind-http would otherwise set variables that begin like those of rind.
    enableServiceLinks: false
${indent(place === "host" ? ON_HOST : SPREAD, 4)}    nodeSelector:
      kubernetes.io/os: linux
    # Without rind nobody reaches anything. Some clusters allow this in kube-system only.
    priorityClassName: system-cluster-critical
    terminationGracePeriodSeconds: ${LAME_DUCK_S[place] + DRAIN_S + SPARE_S}
${indent(POD_SECURITY, 4)}    containers:
${indent(container(place), 6)}${indent(VOLUMES, 4)}`;
}

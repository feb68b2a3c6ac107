/** Every file of k8s/ that is made, not written. */
import { ROLES } from "../../watch/powers.ts";
import { ACCOUNT, askedRole, CLASS, LABELS, namespace, roles, SELECTOR } from "./base.ts";
import { chartRoles } from "./chart.ts";
import { podTemplate } from "./pod.ts";
import { documents, indent } from "./text.ts";

const MADE = "# Made by `npm run manifests` from k8s/make; edit that.\n";
const KUSTOMIZE = "k8s/kustomize";

const HEADER = `# rind as the ingress controller of a cluster, on ports 80 and 443 of every node:
#
#   kubectl apply -f k8s/rind.yaml
#   kubectl apply -f k8s/examples/
#
# Made by \`npm run manifests\` from k8s/make; edit that. There are also k8s/kustomize/overlays, for
# a place behind a load balancer and for kind, and the Helm chart k8s/chart/rind.
`;

const DAEMON_SET = `apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: rind
  namespace: rind
${indent(LABELS, 2)}spec:
  selector:
    matchLabels:
${indent(SELECTOR, 6)}  # The next node waits until this one serves again.
  updateStrategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 1
${indent(podTemplate("host"), 2)}`;

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: rind
  namespace: rind
${indent(LABELS, 2)}spec:
  replicas: 2
  selector:
    matchLabels:
${indent(SELECTOR, 6)}  # A new pod serves before an old one ends.
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
${indent(podTemplate("balanced"), 2)}`;

const SERVICE = `apiVersion: v1
kind: Service
metadata:
  name: rind
  namespace: rind
${indent(LABELS, 2)}spec:
  type: LoadBalancer
  # Only nodes with a pod take traffic, and rind sees the addresses of clients.
  externalTrafficPolicy: Local
  ipFamilyPolicy: PreferDualStack
  selector:
${indent(SELECTOR, 4)}  ports:
    - name: http
      port: 80
      targetPort: http
    - name: https
      port: 443
      targetPort: https
`;

const BUDGET = `# Nodes are emptied one at a time.
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: rind
  namespace: rind
${indent(LABELS, 2)}spec:
  maxUnavailable: 1
  selector:
    matchLabels:
${indent(SELECTOR, 6)}`;

/** Path in the repository → text. */
export function madeFiles(): ReadonlyMap<string, string> {
  const base = documents(ACCOUNT, roles(), CLASS);
  const files = new Map([
    ["k8s/rind.yaml", HEADER + documents(namespace("privileged"), base, DAEMON_SET)],
    [`${KUSTOMIZE}/base/rind.yaml`, MADE + base],
    [
      `${KUSTOMIZE}/overlays/host-network/rind.yaml`,
      MADE + documents(namespace("privileged"), DAEMON_SET),
    ],
    [
      `${KUSTOMIZE}/overlays/load-balancer/rind.yaml`,
      MADE + documents(namespace("restricted"), DEPLOYMENT, SERVICE, BUDGET),
    ],
    ["k8s/chart/rind/templates/roles.yaml", chartRoles()],
  ]);
  for (const { suffix, scope } of ROLES) {
    if (scope !== "asked") continue;
    files.set(`${KUSTOMIZE}/components/${suffix.slice(1)}/role.yaml`, MADE + askedRole(suffix));
  }
  return files;
}

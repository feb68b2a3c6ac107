/** The roles of the Helm chart: the same powers, with the names and the choices of a release. */
import { ROLES } from "../../watch/powers.ts";
import { powersOf } from "./base.ts";
import { binding, clusterBinding, clusterRole, ownRole } from "./roles.ts";
import { documents } from "./text.ts";
import type { Power, Role } from "../../watch/powers.ts";
import type { Names } from "./roles.ts";

/** `$` is the release, also inside of `range`. */
const FULL_NAME = '{{ include "rind.fullname" $ }}';
const NAMES: Names = {
  name: FULL_NAME,
  // Quoted where it is the whole text: a namespace may be called 123, a number to YAML.
  namespace: "{{ $.Release.Namespace | quote }}",
  account: '{{ include "rind.account" $ | quote }}',
  labels: `labels:
  {{- include "rind.labels" $ | nindent 4 }}
`,
};
/** Of powers over what is in namespaces; they may be granted in some of them only. */
const NAMESPACED = "-namespaced";

/** Where the pods set RIND_NODE_ADDRESS (templates/_pod.tpl). */
const NODES_ASKED =
  'and (eq .Values.kind "DaemonSet") (eq .Values.publish.nodeAddress "ExternalIP")';

/** `templates/roles.yaml`. */
export function chartRoles(): string {
  const powers = powersOf("everywhere");
  const everywhere = powers.filter(({ namespaced }) => !namespaced);
  const inside = powers.filter(({ namespaced }) => namespaced);
  return `{{- /* Made by \`npm run manifests\` from k8s/make; edit that. */ -}}
{{- if .Values.rbac.create }}
${documents(
  clusterRole(NAMES, "", everywhere),
  clusterBinding(NAMES, ""),
  clusterRole(NAMES, NAMESPACED, inside),
)}${each(".Values.namespaces", bindingIn(NAMESPACED))}{{- if not .Values.namespaces }}
---
${clusterBinding(NAMES, NAMESPACED)}{{- end }}
---
${documents(
  ownRole(NAMES, powersOf("own").map(renamed)),
  binding(NAMES, { kind: "Role", suffix: "", namespace: NAMES.namespace }),
  clusterRole(NAMES, "-secrets", powersOf("chosen")),
)}${each(".Values.secrets.namespaces", bindingIn("-secrets"))}${asked(
    "-all-secrets",
    ".Values.secrets.clusterWide",
  )}${asked("-nodes", NODES_ASKED)}{{- end }}
`;
}

function each(list: string, text: string): string {
  return `{{- range ${list} }}
---
${text}{{- end }}
`;
}

function bindingIn(suffix: string): string {
  return binding(NAMES, { kind: "ClusterRole", suffix, namespace: "{{ . | quote }}" });
}

function asked(suffix: Role["suffix"], condition: string): string {
  const powers = ROLES.find((role) => role.suffix === suffix)?.powers ?? [];
  return `{{- if ${condition} }}
---
${documents(clusterRole(NAMES, suffix, powers), clusterBinding(NAMES, suffix))}{{- end }}
`;
}

/** The lease is called what the release is called. */
function renamed(power: Power): Power {
  return power.names === undefined ? power : { ...power, names: [FULL_NAME] };
}

/** The certificate that the operator has chosen for names that have none of their own. */
import type { Finding } from "../finding.ts";
import { isName } from "../objects.ts";
import { PAIR_HINT } from "./certificates.ts";
import type { Draft } from "./draft.ts";
import { ANY_HOST } from "./hosts.ts";
import type { View } from "./view.ts";

/** Before every object: whoever runs rind has the last word. */
const FIRST = { createdMs: Number.NEGATIVE_INFINITY, owner: "", uid: "", order: 0 };
const ABOUT = { kind: "Rind", namespace: "", name: "default-certificate", field: "" };

/**
 * Claims the Secret of the option `defaultCertificate` for clients that ask for no name, or for one
 * without a certificate. It is wanted although no object names it.
 */
export function claimDefault(view: View, draft: Draft): void {
  const { defaultCertificate: secret } = draft.options;
  if (secret === "") return;
  const [namespace = "", name = "", ...more] = secret.split("/");
  if (!isName(namespace) || !isName(name) || more.length > 0) {
    return remark(draft, "is not namespace/name of a Secret", "");
  }
  draft.wantSecret(secret);
  draft.secure({ kind: "default", host: ANY_HOST, secret, origin: ABOUT, age: FIRST });
  const { good, problem, missing } = view.pair(secret);
  if (problem === "") return;
  const reason = missing
    ? `no Secret ${name} in namespace ${namespace}`
    : `Secret ${secret} is no certificate: ${problem}`;
  const kept = good === null ? "" : "the certificate of before is served";
  remark(draft, reason, kept);
}

function remark(draft: Draft, reason: string, kept: string): void {
  const effect = kept === "" ? "clients get one that nobody trusts" : kept;
  const finding: Finding = { level: "error", ...ABOUT, reason, hint: PAIR_HINT, effect };
  draft.find(finding);
}

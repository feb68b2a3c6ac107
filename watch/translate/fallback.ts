/** The certificate that the operator has chosen for names that have none of their own. */
import type { Finding } from "../finding.ts";
import { isName } from "../objects.ts";
import { grantOf } from "../resources.ts";
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
    const reason = "is not namespace/name of a Secret";
    return remark(draft, { reason, hint: "", kept: false });
  }
  draft.wantSecret(secret);
  draft.secure({ kind: "default", host: ANY_HOST, secret, origin: ABOUT, age: FIRST });
  const { good, problem, missing } = view.pair(secret);
  const read = view.secrets.has(secret);
  if (problem === "" && read) return;
  const grant = grantOf(namespace, draft.options.account);
  const hint = problem === "" ? `if that stays so, rind may not: ${grant}` : PAIR_HINT;
  const reason =
    problem === ""
      ? `Secret ${secret} has not been read yet`
      : missing
        ? `no Secret ${name} in namespace ${namespace}`
        : `Secret ${secret} is no certificate: ${problem}`;
  remark(draft, { reason, hint, kept: good !== null });
}

function remark(
  draft: Draft,
  { reason, hint, kept }: Readonly<{ reason: string; hint: string; kept: boolean }>,
): void {
  const effect = kept
    ? "the certificate of before is served"
    : "clients get one that nobody trusts";
  const finding: Finding = { level: "error", ...ABOUT, reason, hint, effect };
  draft.find(finding);
}

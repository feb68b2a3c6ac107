/**
 * The access of a pod: an address in the environment, and files that the kubelet keeps fresh. It
 * takes no library, so that what runs on every node is spared the memory of one.
 */
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import type { Credentials, ReadAccess } from "./api.ts";

const TOKEN_FILE = "token";
const CA_FILE = "ca.crt";
const NAMESPACE_FILE = "namespace";
/** Of a token of a ServiceAccount. */
const SUBJECT = /^system:serviceaccount:([a-z0-9.-]+:[a-z0-9.-]+)$/;

/** Where a kubelet mounts the files of a pod's service account. */
export const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** What a kubelet gives to a pod. */
export type Pod = Readonly<{
  /** KUBERNETES_SERVICE_HOST and _PORT; "" elsewhere. */
  host: string;
  port: string;
  /** The folder of the service account; see SERVICE_ACCOUNT. */
  account: string;
}>;

/**
 * The access of the pod that this runs in. The token is read for each request: kubelets replace it
 * long before it ends, and a request that outlives it is refused once and asks for the next one.
 */
export function readPodAccess({ host, port, account }: Pod): ReadAccess {
  if (host === "" || port === "") {
    const reason = "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set";
    return { ok: false, reason: `not in a cluster: ${reason}; give a kubeconfig` };
  }
  const token = `${account}/${TOKEN_FILE}`;
  if (!existsSync(token)) {
    const reason = `no service account token: ${token} does not exist`;
    return { ok: false, reason: `${reason}; is automountServiceAccountToken off?` };
  }
  const named = `${account}/${NAMESPACE_FILE}`;
  return {
    ok: true,
    access: {
      server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
      from: "in the cluster",
      namespace: existsSync(named) ? readFileSync(named, "utf8").trim() : "default",
      credentials: () => readFiles(token, `${account}/${CA_FILE}`),
      renew: () => {},
    },
  };
}

/**
 * The ServiceAccount, `namespace:name`, that the token in a folder is of; "" where that cannot be
 * seen. It is not verified (RFC 7519 §7.2): it is for advice only.
 */
export function readAccount(folder: string): string {
  try {
    const [, claims = ""] = readFileSync(`${folder}/${TOKEN_FILE}`, "utf8").split(".");
    const { sub } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { sub?: unknown };
    return SUBJECT.exec(String(sub))?.[1] ?? "";
  } catch {
    // Some tokens are no JWT.
    return "";
  }
}

/** A pod without the authority's file trusts those of the system. Rejects without a token. */
async function readFiles(token: string, ca: string): Promise<Credentials> {
  const text = (await readFile(token, "utf8")).trim();
  return {
    headers: { authorization: `Bearer ${text}` },
    ca: existsSync(ca) ? await readFile(ca, "utf8") : null,
    cert: null,
    key: null,
    serverName: null,
    verify: true,
  };
}

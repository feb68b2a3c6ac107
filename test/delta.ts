/** A change of a model, as tests write it: the lists that matter beside those that do not. */
import type { Delta } from "../core/model.ts";

/** A delta that changes nothing, but for its versions. */
export const NOTHING: Omit<Delta, "base" | "version"> = {
  hosts: [],
  hostsGone: [],
  backends: [],
  backendsGone: [],
  certificates: [],
  certificatesGone: [],
  secure: [],
  secureGone: [],
};

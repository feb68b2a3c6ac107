/**
 * A listener for HTTP over TLS that outlives what it listens with. The runtime takes some of that
 * once, when it begins to listen; when it changes, another listener accepts on the same socket and
 * the first one stops. Connections stay where they are, and so do those that wait in the queue.
 */
import { duplicateOf, openLibc } from "../libc.ts";
import { log } from "../log.ts";
import { showAddress } from "../protocol.ts";
import { listenSecure } from "./listen.ts";
import type { Address, Listener, Place } from "./listen.ts";
import type { SecureSite } from "./secure.ts";
import type { Context } from "./vault.ts";

export class SecureListener {
  readonly #site: SecureSite;
  #listener: Listener;
  /** What is shown to whoever asks for no name. */
  #shows: Context | null;

  /** Listens; throws Bun's error when it cannot. */
  constructor(place: Place, site: SecureSite) {
    // Where no descriptor can be had twice, another socket takes the place of this one.
    const reusePort = place.reusePort || !openLibc().ok;
    this.#site = site;
    this.#shows = site.vault.any.context;
    this.#listener = listenSecure({ ...place, reusePort }, site);
  }

  /** With the port that port 0 became. */
  get address(): Address {
    return this.#listener.address;
  }

  /** Listens no more; connections stay. */
  stop(): void {
    this.#listener.stop();
  }

  /** To be called when the vault has changed. When it cannot listen anew it goes on as before. */
  refresh(): void {
    const shows = this.#site.vault.any.context;
    if (shows === this.#shows) return;
    const { address, fd: old } = this.#listener;
    const fd = duplicateOf(old);
    try {
      const next = listenSecure({ address, fd, reusePort: true }, this.#site);
      this.#listener.stop();
      this.#listener = next;
      this.#shows = shows;
    } catch (error) {
      // Whether the runtime has closed the descriptor is not told; one too many does less harm.
      log("error", "a listener cannot be renewed", {
        address: showAddress(address),
        reason: String(error),
      });
    }
  }
}

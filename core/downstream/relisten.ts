/**
 * A listener for HTTP over TLS that outlives what it listens with. The runtime takes some of that
 * once, when it begins to listen; when it changes, another listener accepts on the same socket and
 * the first one stops. Connections stay where they are, and so do those that wait in the queue.
 *
 *         by name ──mustPeek──► peeking         by name: the runtime reads each ClientHello, and
 *            ▲  ◄────no more─────┘              takes a certificate for it. Peeking: we read it
 *            └── another certificate for `*`    first, which costs 8 % of a handshake.
 */
import { acceptWithBytes, duplicateOf, openLibc } from "../libc.ts";
import { log } from "../log.ts";
import { showAddress } from "../protocol.ts";
import { listenPeeking, listenSecure } from "./listen.ts";
import type { Address, Listener, Place } from "./listen.ts";
import type { Begin } from "./preface.ts";
import { mustPeek } from "./secure.ts";
import type { SecureSite } from "./secure.ts";
import type { Context } from "./vault.ts";

export class SecureListener {
  readonly #site: SecureSite;
  readonly #begin: Begin;
  #listener: Listener;
  /** What is shown to whoever asks for no name; null: it peeks. */
  #shows: Context | null;

  /** Listens; throws Bun's error when it cannot. `begin` goes on with what was peeked at. */
  constructor(place: Place, site: SecureSite, begin: Begin) {
    // Where no descriptor can be had twice, another socket takes the place of this one.
    const reusePort = place.reusePort || !openLibc().ok;
    this.#site = site;
    this.#begin = begin;
    this.#shows = this.#wanted();
    this.#listener = this.#open({ ...place, reusePort });
    // Handshakes are paced as connections are accepted (pace.ts): each shall have its ClientHello
    // with it then, or those that come late come in one turn.
    acceptWithBytes(this.#listener.fd);
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
    const wanted = this.#wanted();
    if (wanted === this.#shows) return;
    const before = this.#shows;
    const { address, fd } = this.#listener;
    this.#shows = wanted;
    try {
      const next = this.#open({ address, fd: duplicateOf(fd), reusePort: true });
      this.#listener.stop();
      this.#listener = next;
    } catch (error) {
      this.#shows = before;
      // Whether the runtime has closed the descriptor is not told; one too many does less harm.
      const reason = error instanceof Error ? error.message : String(error);
      log("error", "a listener goes on as before", { address: showAddress(address), reason });
    }
  }

  #wanted(): Context | null {
    return mustPeek(this.#site) ? null : this.#site.vault.any.context;
  }

  #open(place: Place): Listener {
    if (this.#shows === null) return listenPeeking(place, this.#site, this.#begin);
    return listenSecure(place, this.#site);
  }
}

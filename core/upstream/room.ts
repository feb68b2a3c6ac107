/**
 * How many connections to all endpoints of a worker there are. Never more than it has files for:
 * what idles to one endpoint makes room for what another one needs.
 */
export type Room = {
  /** Connections that exist: dialling, busy and idle. */
  open: number;
  /** Whether one more may be opened; to say yes an idle one may be closed. */
  mayOpen(): boolean;
};

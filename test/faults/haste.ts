/** Preloaded into a rind under test: its control plane lives ten times as fast as the world. */

const FACTOR = 10;

const now = performance.now.bind(performance);
performance.now = () => now() * FACTOR;

const later = globalThis.setTimeout;
const hasty = (call: () => void, ms = 0) => later(call, ms / FACTOR);
globalThis.setTimeout = Object.assign(hasty, later) as typeof setTimeout;

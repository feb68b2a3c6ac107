/** How many connections there is room for: what the system says, and what follows from it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fittedLimits, surroundingsOf } from "../capacity.ts";
import { limitsOf } from "../limits.ts";

const MIB = 1_048_576;
const FILES = "Limit   Soft Limit   Hard Limit   Units\nMax open files   256   4096   files\n";

type Files = Readonly<Record<string, string>>;

const SURROUNDINGS: readonly [string, Files, { files: number; memoryBytes: number }][] = [
  ["another system", {}, { files: Infinity, memoryBytes: Infinity }],
  ["files", { "/proc/self/limits": FILES }, { files: 256, memoryBytes: Infinity }],
  [
    "a container of version 2",
    { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "268435456\n" },
    { files: Infinity, memoryBytes: 256 * MIB },
  ],
  [
    "no limit of version 2",
    { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n" },
    { files: Infinity, memoryBytes: Infinity },
  ],
  [
    "a service of version 2, whose slice has more",
    {
      "/proc/self/cgroup": "0::/system.slice/rind.service\n",
      "/sys/fs/cgroup/memory.max": "1073741824\n",
      "/sys/fs/cgroup/system.slice/rind.service/memory.max": "134217728\n",
    },
    { files: Infinity, memoryBytes: 128 * MIB },
  ],
  [
    "version 1",
    {
      "/proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/pod/1\n0::/\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "/sys/fs/cgroup/memory/pod/1/memory.limit_in_bytes": "67108864\n",
    },
    { files: Infinity, memoryBytes: 64 * MIB },
  ],
];

for (const [name, files, expected] of SURROUNDINGS) {
  test(`surroundings: ${name}`, () => {
    assert.equal(
      surroundingsOf((path) => files[path] ?? null),
      expected,
    );
  });
}

test("surroundings: those of this process are read without an error", () => {
  assert.ok(surroundingsOf().files > 0);
});

// [files, memory, wanted clients] → [clients, connections to backends]
const FITTED: readonly [number, number, number, number, number][] = [
  [Infinity, Infinity, 20_000, 20_000, 20_000],
  [1_048_576, Infinity, 20_000, 20_000, 20_000],
  [20_000, Infinity, 20_000, 9_488, 9_488],
  [4_096, Infinity, 20_000, 1_536, 1_536],
  [1_024, Infinity, 20_000, 384, 384],
  [256, Infinity, 20_000, 96, 96],
  [256, Infinity, 50, 50, 142],
  [20, Infinity, 20_000, 7, 8],
  [1, Infinity, 20_000, 1, 1],
  [Infinity, 1_024 * MIB, 20_000, 6_371, 20_000],
  [Infinity, 256 * MIB, 20_000, 910, 20_000],
  [Infinity, 64 * MIB, 20_000, 113, 20_000],
  [Infinity, 0, 20_000, 1, 20_000],
];

for (const [files, memoryBytes, wanted, clients, upstreams] of FITTED) {
  test(`${files} files and ${memoryBytes} bytes for ${wanted} clients`, () => {
    const limits = fittedLimits(limitsOf({ connections: wanted }), { files, memoryBytes }, 1);
    assert.is(limits.connections, clients);
    assert.is(limits.upstreamTotal, upstreams);
    if (files > 8) assert.ok(clients + upstreams < files, "some files are left");
  });
}

test("answers that wait have half of what memory there is for connections", () => {
  const waiting = (memoryBytes: number, workers: number): number =>
    fittedLimits(limitsOf({}), { files: Infinity, memoryBytes }, workers).waitingBytes;
  assert.is(waiting(Infinity, 1), 1_024 * MIB);
  assert.is(waiting(256 * MIB, 1), 64 * MIB);
  assert.is(waiting(1_024 * MIB, 2), 208 * MIB);
});

test("workers share the memory, and each has files of its own", () => {
  const given = { files: 4_096, memoryBytes: 768 * MIB };
  assert.is(fittedLimits(limitsOf({}), given, 1).connections, 1_536);
  assert.is(fittedLimits(limitsOf({}), given, 4).connections, 796);
});

test.run();

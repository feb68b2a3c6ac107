/** Routing allocates nothing: no collection is asked for in two million rounds of each workload. */
import { test } from "uvu";
import { testCollections } from "../../../test/collections.cases.ts";
import { WORKLOADS } from "./allocation.cases.ts";

await testCollections(import.meta.path, WORKLOADS, 2_000_000);

test.run();

// Folded files: every line is a stack and a number, and the numbers add up to the rows.

import { readFileSync } from "node:fs";
import { equal, exported, finish, truly } from "./checks.mjs";

/** The metrics, and the sums that they have to have. */
const METRICS = ["samples", "running", "waiting", "allocations", "contention", "waits", "exceptions"];
const SUMS = ["samples", "running", "waiting", "allocated_bytes", "contention_ns", "waits_ns", "exceptions"];

for (const one of exported()) {
  METRICS.forEach((metric, at) => {
    let sum = 0;
    let broken = 0;
    for (const line of readFileSync(one.file(`${metric}.folded`), "utf8").split("\n").slice(0, -1)) {
      const match = /^(.+) (\d+)$/u.exec(line);
      if (match === null) broken += 1;
      else sum += Number(match[2]);
    }
    equal(`${one.name}: lines of ${metric} that are no stack and number`, broken, 0);
    equal(`${one.name}: the numbers of ${metric}`, sum, truly(one, String(SUMS[at])));
  });
}
finish();

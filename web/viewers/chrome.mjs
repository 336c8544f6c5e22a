// The Trace Event file against the rules that Chrome and Perfetto read it by: known phases with their members, times in
// order of begin and end, and boxes that nest on each thread. Boxes and instants are counted against the tables.

import { readFileSync } from "node:fs";
import { equal, exported, finish, truly } from "./checks.mjs";

/** @typedef {{ ph: string, pid: number, tid: number, name: string, ts?: number, s?: string, args?: any }} TraceEvent */

/** What is wrong with an event by itself. @param {TraceEvent} event @returns {string | undefined} */
function wrong(event) {
  if (typeof event.name !== "string") return "no name";
  if (!Number.isInteger(event.pid) || !Number.isInteger(event.tid)) return "no pid or tid";
  if (event.ph === "M") {
    const sorts = event.name === "thread_sort_index" && Number.isInteger(event.args?.sort_index);
    const names = ["process_name", "thread_name"].includes(event.name) && typeof event.args?.name === "string";
    return sorts || names ? undefined : "metadata that no viewer knows";
  }
  if (!["B", "E", "i", "C"].includes(event.ph)) return `phase ${event.ph}`;
  if (typeof event.ts !== "number" || !Number.isFinite(event.ts) || event.ts < 0) return "no time";
  if (event.ph === "i" && event.s !== "t") return "no scope";
  if (event.ph === "C" && typeof event.args?.value !== "number") return "no value";
  return undefined;
}

/** Kinds of lanes, and how many boxes or instants they have to have. @type {Record<string, string>} */
const LANES = {
  GC: "gc",
  Pauses: "pauses",
  Requests: "requests",
  Spans: "spans",
  "Waits for locks": "contention",
  "Waits for handles": "waits",
  JIT: "jit_timed",
  "Loads of compiled code": "jit_loads",
  Exceptions: "exceptions",
};

for (const one of exported()) {
  /** @type {{ traceEvents: TraceEvent[] }} */
  const file = JSON.parse(readFileSync(one.file("trace.json"), "utf8"));
  const problems = new Set();
  /** @type {Map<number, { name: string, ts: number }[]>} */
  const open = new Map();
  /** @type {Map<number, string>} */
  const lanes = new Map();
  /** @type {Map<string, number>} */
  const counts = new Map();
  let counters = 0;
  for (const event of file.traceEvents) {
    const problem = wrong(event);
    if (problem !== undefined) problems.add(`${problem}: ${JSON.stringify(event).slice(0, 200)}`);
    const stack = open.get(event.tid) ?? [];
    open.set(event.tid, stack);
    const kind = (lanes.get(event.tid) ?? "").replace(/ \d+$/u, "");
    if (event.ph === "M" && event.name === "thread_name") lanes.set(event.tid, event.args.name);
    if (event.ph === "B") stack.push({ name: event.name, ts: event.ts ?? 0 });
    if (event.ph === "C" && event.name !== "heap after GC (bytes)") counters += 1;
    if (event.ph === "B" || event.ph === "i") counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (event.ph === "E") {
      const begun = stack.pop();
      const nests = begun !== undefined && begun.name === event.name && begun.ts <= (event.ts ?? -1);
      if (!nests) problems.add(`a box that does not nest: ${event.name.slice(0, 100)}`);
    }
  }
  equal(`${one.name}: problems of events`, [...problems].slice(0, 3), []);
  equal(`${one.name}: boxes without an end`, [...open.values()].filter((stack) => stack.length > 0).length, 0);
  const processes = new Set(file.traceEvents.map((event) => event.pid));
  equal(`${one.name}: processes`, processes.size, 1);
  for (const [lane, name] of Object.entries(LANES)) {
    equal(`${one.name}: ${lane}`, counts.get(lane) ?? 0, truly(one, name));
  }
  equal(`${one.name}: values of counters`, counters, truly(one, "counters"));
}
finish();

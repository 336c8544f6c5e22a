// What the checks of exports have in common: folders with exports of one recording each, what is true of it, and
// counting.
//
// A folder has `truth.json`, the answer of `casebook query` to one question of one row, and a file for each format.
// What the viewers show is compared with that row, which no exporter has had a hand in.

import { readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** What is true of a recording: counts and sums by name. @typedef {Record<string, number>} Truth */
/** A folder of exports. @typedef {{ name: string, truth: Truth, file: (name: string) => string }} Exports */

/** The folders that the command line names. @returns {Exports[]} */
export function exported() {
  return process.argv.slice(2).map((folder) => {
    const answer = JSON.parse(readFileSync(join(folder, "truth.json"), "utf8"));
    /** @type {Truth} */
    const truth = {};
    answer.columns.forEach((/** @type {{ name: string }} */ column, /** @type {number} */ at) => {
      truth[column.name] = answer.rows[0][at] ?? 0;
    });
    return { name: basename(folder), truth, file: (name) => join(folder, name) };
  });
}

let passed = 0;
let failed = 0;

/** One check. @param {string} what @param {unknown} found @param {unknown} expected */
export function equal(what, found, expected) {
  const same = JSON.stringify(found) === JSON.stringify(expected);
  if (same) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
  }
}

/** A number of a truth. @param {Exports} one @param {string} name */
export function truly(one, name) {
  const value = one.truth[name];
  if (value === undefined) throw new Error(`truth.json of ${one.name} has no ${name}`);
  return value;
}

/** The last line, which is counted, and the exit code. */
export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}

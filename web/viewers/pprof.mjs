// The pprof file, decoded by protoc with the fields of the official profile.proto: references lead somewhere, ids are
// each there once, and the values of each type add up to the rows.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { equal, exported, finish, truly } from "./checks.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));

/** Fields by name, each with all its values. @typedef {Map<string, (string | Message)[]>} Message */

/** Reads what `protoc --decode` prints. @param {string} text @returns {Message} */
function parsed(text) {
  /** @type {Message} */
  const root = new Map();
  /** @type {Message[]} */
  const open = [root];
  for (const line of text.split("\n")) {
    const top = /** @type {Message} */ (open.at(-1));
    const [, name, rest] = /^\s*(\w+)(?::)? ?(.*)$/u.exec(line) ?? [];
    if (/^\s*\}$/u.test(line)) {
      open.pop();
    } else if (name !== undefined) {
      /** @type {Message} */
      const inner = new Map();
      const list = top.get(name) ?? [];
      top.set(name, list);
      list.push(rest === "{" ? inner : String(rest));
      if (rest === "{") open.push(inner);
    }
  }
  return root;
}

/** @param {Message} of @param {string} name @returns {Message[]} */
const messages = (of, name) => /** @type {Message[]} */ (of.get(name) ?? []);
/** @param {Message} of @param {string} name @returns {number[]} */
const numbers = (of, name) => (of.get(name) ?? []).map(Number);
/** @param {Message} of @param {string} name */
const number = (of, name) => numbers(of, name)[0] ?? 0;

/** Types of values, and the sums that they have to have. @type {Record<string, string>} */
const SUMS = {
  samples: "samples",
  running: "running",
  waiting: "waiting",
  alloc_samples: "allocations",
  alloc_space: "allocated_bytes",
  contentions: "contention_ended",
  delay: "contention_ns",
  waits: "waits_ended",
  wait_delay: "waits_ns",
  exceptions: "exceptions",
};

for (const one of exported()) {
  const bytes = gunzipSync(readFileSync(one.file("pprof.pb.gz")));
  const arguments_ = ["--decode=perftools.profiles.Profile", `-I${HERE}`, `${HERE}/profile.proto`];
  const text = execFileSync("protoc", arguments_, { input: bytes, maxBuffer: 2 ** 30, encoding: "utf8" });
  const profile = parsed(text);
  const texts = (profile.get("string_table") ?? []).map((quoted) => String(quoted).slice(1, -1));
  // A field that the schema does not have is printed by its number.
  equal(`${one.name}: fields that profile.proto does not have`, /^\s*\d+[ :]/mu.exec(text)?.[0], undefined);
  equal(`${one.name}: the first text`, texts[0], "");

  const types = messages(profile, "sample_type").map((type) => String(texts[number(type, "type")]));
  const sums = types.map(() => 0);
  const functions = new Set(messages(profile, "function").map((of) => number(of, "id")));
  const locations = new Set(messages(profile, "location").map((of) => number(of, "id")));
  equal(`${one.name}: functions with an id of their own`, functions.size, messages(profile, "function").length);
  equal(`${one.name}: locations with an id of their own`, locations.size, messages(profile, "location").length);
  let astray = functions.has(0) || locations.has(0) ? 1 : 0;
  for (const location of messages(profile, "location")) {
    const line = messages(location, "line")[0];
    if (line === undefined || !functions.has(number(line, "function_id"))) astray += 1;
  }
  for (const sample of messages(profile, "sample")) {
    const values = numbers(sample, "value");
    if (values.length !== types.length) astray += 1;
    values.forEach((value, at) => (sums[at] = (sums[at] ?? 0) + value));
    astray += numbers(sample, "location_id").filter((id) => !locations.has(id)).length;
    astray += messages(sample, "label").filter((of) => texts[number(of, "key")] === undefined).length;
  }
  equal(`${one.name}: references that lead nowhere`, astray, 0);
  const first = texts[number(profile, "default_sample_type")] ?? "";
  equal(`${one.name}: the preferred type is one of the types`, types.includes(first), true);
  for (const [type, name] of Object.entries(SUMS)) {
    const sum = types.includes(type) ? sums[types.indexOf(type)] : 0;
    equal(`${one.name}: the sum of ${type}`, sum, truly(one, name));
  }
}
finish();

/** Numbers on a page read the same whether the server or the script wrote them. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { counted, duration, fixed, moment, percent, seconds, short, show, weight } from "casebook/format";

test("every case that the server's own test holds reads the same", () => {
  const source = readFileSync(new URL("../../crates/explain/report/src/unit.rs", import.meta.url), "utf8");
  const cases = [...source.matchAll(/check\((-?[\d_.]+), "([^"]*)", "([^"]*)"\)/g)];
  assert.ok(cases.length >= 10, `only ${cases.length} cases in unit.rs`);
  for (const [, value, unit, expected] of cases) {
    assert.equal(show(Number(value?.replaceAll("_", "")), unit ?? ""), expected);
  }
});

test("what lies in the middle goes to the even digit, as in Rust", () => {
  const check = (/** @type {number} */ value, /** @type {number} */ decimals, /** @type {string} */ expected) =>
    assert.equal(fixed(value, decimals), expected);
  check(0.5, 0, "0");
  check(1.5, 0, "2");
  check(2.5, 0, "2");
  check(-2.5, 0, "-2");
  check(0.25, 1, "0.2");
  check(0.75, 1, "0.8");
  check(0.125, 2, "0.12");
  check(0.375, 2, "0.38");
  check(1.005, 2, "1.00");
  check(-0.4, 0, "-0");
  check(-0, 0, "-0");
  check(1e21, 0, "1000000000000000000000");
  check(1.5e300, 2, `${BigInt(1.5e300)}.00`);
  check(NaN, 2, "NaN");
  check(-Infinity, 1, "-inf");
});

test("numbers have three digits at least and thousands set apart", () => {
  const check = (/** @type {number} */ value, /** @type {string} */ expected) => assert.equal(short(value), expected);
  check(0, "0");
  check(1, "1");
  check(9.999, "10.00");
  check(10.04, "10.0");
  check(99.96, "100.0");
  check(100.5, "100");
  check(999.9, "1,000");
  check(-999_999.5, "-1,000,000");
  check(123, "123");
  check(Infinity, "inf");
  check(NaN, "NaN");
  check(999_999_999_999_999, "999,999,999,999,999");
  check(1e15, "1.00e15");
  check(-1.5e300, "-1.50e300");
  assert.equal(percent(1e300, 1), "1.00e302 %");
  assert.equal(moment(1e300), "1.00e291 s");
});

test("times, sizes and parts take the unit that reads best", () => {
  assert.equal(duration(0.999), "999 µs");
  assert.equal(duration(-5), "-5,000 µs");
  assert.equal(duration(599_999), "600 s");
  assert.equal(duration(600_000), "10 min");
  assert.equal(weight(1_500_000, "ns"), "1.50 ms");
  assert.equal(weight(1_500_000, "bytes"), "1.50 MB");
  assert.equal(weight(1500, "samples"), "1,500");
  assert.equal(percent(1, 3), "33.3 %");
  assert.equal(percent(1, 0), "–");
  assert.equal(moment(1_159_400_000), "1.159 s");
  assert.equal(counted(1, "row"), "1 row");
  assert.equal(counted(4273, "row"), "4,273 rows");
  assert.equal(show(3, "things"), "3 things");
});

test("a time in an address has as many decimals as it takes", () => {
  assert.equal(seconds(1_250_000_000), "1.25");
  assert.equal(seconds(3_000_000_000), "3");
  assert.equal(seconds(1), "0.000000001");
  assert.equal(seconds(0), "0");
  assert.equal(seconds(30_000_000_000), "30");
});

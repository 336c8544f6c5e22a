/** CSV for spreadsheets: the scripts and the server guard the same texts. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { field } from "casebook/table";

test("a text that a spreadsheet would compute is the same on the pages and in files", () => {
  const shared = readFileSync(new URL("formulas.json", import.meta.url), "utf8");
  for (const [text, expected] of JSON.parse(shared)) {
    assert.equal(field({ text, number: null }), expected, JSON.stringify(text));
  }
});

test("numbers stay numbers also below zero", () => {
  assert.equal(field({ text: "-1", number: -1 }), "-1");
  assert.equal(field(null), "");
});

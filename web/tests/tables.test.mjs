/** Tables and SQL in a browser: sort, filter, copy, complete, run. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, fixture, serve, Visit } from "./site.mjs";

/** @typedef {import("puppeteer-core").Page} Page */

/** @type {Awaited<ReturnType<typeof browser>>} */
let chromium;
/** @type {Awaited<ReturnType<typeof serve>>} */
let site;
/** @type {Visit} */
let visit;

before(async () => {
  chromium = await browser();
  site = await serve(fixture("healthy"));
  visit = new Visit(chromium, site.url);
});

after(async () => {
  await chromium?.close();
  await site?.stop();
});

/**
 * What stands in a column, of the rows that are shown.
 *
 * @param {Page} page
 * @param {string} table
 * @param {string} column
 * @returns {Promise<string[]>}
 */
function cells(page, table, column) {
  const read = (/** @type {Element} */ at, /** @type {string} */ wanted) => {
    const whole = /** @type {HTMLTableElement} */ (at);
    const heads = [...(whole.tHead?.rows[0]?.cells ?? [])];
    const index = heads.findIndex((head) => head.dataset["column"] === wanted);
    const rows = [...whole.tBodies].flatMap((body) => [...body.rows]).filter((row) => !row.hidden);
    return rows.map((row) => row.cells[index]?.dataset["v"] ?? row.cells[index]?.textContent ?? "");
  };
  return page.$eval(`table[data-table=${table}]`, read, column);
}

/** @param {Page} page @param {string} table @param {string} column */
const head = (page, table, column) => page.$(`table[data-table=${table}] th[data-column="${column}"]`);

test("a table that is whole sorts in place, and the address keeps the order", async () => {
  const page = await visit.open("/gc");
  const before = (await cells(page, "collections", "pause_ns")).map(Number);
  assert.ok(before.length > 3);
  const link = `table[data-table=collections] th[data-column="pause_ns"] a`;
  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.click(link);
  const descending = (await cells(page, "collections", "pause_ns")).map(Number);
  assert.deepEqual(
    descending,
    [...before].sort((a, b) => b - a),
  );
  assert.equal(
    await (await head(page, "collections", "pause_ns"))?.evaluate((at) => at.getAttribute("aria-sort")),
    "descending",
  );
  await page.click(link);
  assert.deepEqual(
    (await cells(page, "collections", "pause_ns")).map(Number),
    [...before].sort((a, b) => a - b),
  );
  assert.equal(new URL(page.url()).searchParams.get("collections.sort"), "pause_ns");
  assert.deepEqual(asked, []);

  // The server sorts the same way where there is no script.
  const plain = await visit.open(page.url().slice(visit.origin.length), { script: false });
  assert.deepEqual(
    (await cells(plain, "collections", "pause_ns")).map(Number),
    [...before].sort((a, b) => a - b),
  );
  await page.reload();
  await page.waitForSelector("html[data-started]");
  assert.deepEqual(
    (await cells(page, "collections", "pause_ns")).map(Number),
    [...before].sort((a, b) => a - b),
  );
  await plain.close();
  await page.close();
});

test("a table that is a part sorts all of its rows on the server", async () => {
  const page = await visit.open("/gc");
  assert.equal(await page.$("table[data-table=pauses][data-complete]"), null);
  await Promise.all([page.waitForNavigation(), page.click(`table[data-table=pauses] th[data-column="ts_ns"] a`)]);
  assert.match(new URL(page.url()).searchParams.get("pauses.sort") ?? "", /^-?ts_ns$/);
  const times = (await cells(page, "pauses", "ts_ns")).map(Number);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => b - a),
  );
  await page.close();
});

test("a filter shows the rows that have a text while it is typed", async () => {
  const page = await visit.open("/gc");
  const types = await cells(page, "collections", "reason");
  const wanted = types[0] ?? "";
  const field = `form.find input[name="collections.find"]`;
  await page.type(field, wanted.toUpperCase());
  const shown = await cells(page, "collections", "reason");
  assert.ok(shown.length > 0 && shown.length <= types.length);
  const form = await page.$eval(
    field,
    (input) => /** @type {HTMLInputElement} */ (input).form?.querySelector("[role=status]")?.textContent,
  );
  assert.equal(form, `${shown.length} of ${types.length} rows`);
  await page.type(field, " nowhere");
  assert.deepEqual(await cells(page, "collections", "reason"), []);
  // Enter leaves the page as it is.
  const url = page.url();
  await page.keyboard.press("Enter");
  assert.equal(page.url(), url);
  await page.close();
});

test("what is shown is copied as CSV with the numbers behind the words", async () => {
  const page = await visit.open("/gc");
  await chromium
    .defaultBrowserContext()
    .setPermission(new URL(page.url()).origin, { permission: { name: "clipboard-read" }, state: "granted" });
  await page.bringToFront();
  const reasons = await cells(page, "reasons", "reason");
  await page.click("button[data-copy=reasons]");
  await page.waitForFunction(() =>
    /copied$/.test(document.querySelector("button[data-copy=reasons]")?.textContent ?? ""),
  );
  const text = await page.evaluate(() => navigator.clipboard.readText());
  const lines = text.replaceAll("\r\n", "\n").trimEnd().split("\n");
  assert.equal(lines[0], "reason,collections,pauses_ns,longest_pause_ns");
  assert.deepEqual(
    lines.slice(1).map((line) => line.split(",")[0]),
    reasons,
  );
  const pauses = await cells(page, "reasons", "pauses_ns");
  assert.deepEqual(
    lines.slice(1).map((line) => line.split(",")[2]),
    pauses,
  );
  await page.close();
});

test("SQL is completed by keyboard and runs with Ctrl+Enter", async () => {
  const page = await visit.open("/sql");
  const area = "textarea[data-sql]";
  const value = () => page.$eval(area, (at) => at.value);
  await page.focus(area);
  await page.keyboard.type("select number, gener");
  // Columns need a table: nothing is in the query yet.
  await page.keyboard.press("Escape");
  await page.keyboard.type("ation from g");
  const list = () => page.$$eval("#completion li", (all) => all.map((one) => one.firstChild?.textContent));
  assert.deepEqual(await list(), ["gc"]);
  assert.equal(await page.$eval(area, (at) => at.getAttribute("aria-activedescendant")), "completion-0");
  await page.keyboard.press("Tab");
  assert.equal(await value(), "select number, generation from gc");
  assert.ok(await page.$eval("#completion", (at) => /** @type {HTMLElement} */ (at).hidden));
  await page.keyboard.type(" order by gc.pau");
  assert.deepEqual(await list(), ["pause_ns"]);
  await page.keyboard.press("Enter");
  assert.equal(await value(), "select number, generation from gc order by gc.pause_ns");
  await page.keyboard.type(" limit 3");
  await page.keyboard.press("Escape");
  await page.keyboard.down("Control");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await page.keyboard.up("Control");
  assert.equal(
    new URL(page.url()).searchParams.get("q"),
    "select number, generation from gc order by gc.pause_ns limit 3",
  );
  assert.equal((await cells(page, "answer", "number")).length, 3);

  // The answer sorts in place as every table that is whole.
  const control = `table[data-table=answer] th[data-column=number] .sort`;
  await page.click(control);
  const numbers = (await cells(page, "answer", "number")).map(Number);
  const way = await (await head(page, "answer", "number"))?.evaluate((at) => at.getAttribute("aria-sort"));
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => (way === "descending" ? b - a : a - b)),
  );
  await page.close();
});

test("a wrong query says why", async () => {
  const page = await visit.open(`/sql?q=${encodeURIComponent("select a from nowhere")}`);
  assert.match(await page.$eval("main .error", (at) => at.textContent ?? ""), /nowhere/);
  await page.close();
});

test("nothing was refused, missing or broken", () => visit.assertQuiet());

/** Every page: for everyone, without script, light and dark, as one file, and light in weight. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { benchmarks, browser, exported, fixture, serve, Visit } from "./site.mjs";

/** @typedef {import("puppeteer-core").Page} Page */

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Scripts and style of all pages, unpacked. */
const OWN_BYTES = 160_000;
/** All that a page brings with it before its data. */
const ASSET_BYTES = 300_000;
const WIDTHS = [1280, 400];
const THEMES = /** @type {const} */ (["light", "dark"]);

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

/** What axe-core has against a page, in lines. @param {Page} page */
async function violations(page) {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    // @ts-expect-error axe is in the page
    const { violations: found } = await axe.run(document, { resultTypes: ["violations"] });
    return found.flatMap((/** @type {any} */ { id, help, nodes }) =>
      nodes.map(
        (/** @type {any} */ { html, failureSummary: why }) => `${id}: ${help}\n  ${html.slice(0, 300)}\n  ${why}`,
      ),
    );
  });
}

/** @param {Page} page */
const isTooWide = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

/** The texts of cells that their table's own scrolling hides at the side. @param {Page} page @param {string} cells */
const hidden = (page, cells) =>
  page.$$eval(cells, (all) => {
    const isHidden = (/** @type {Element} */ cell) => {
      const [own, room] = [cell, cell.closest(".scroll")].map((of) => of?.getBoundingClientRect());
      return own && room && own.width > 0 && (own.right > room.right + 1 || own.left < room.left - 1);
    };
    return all.filter(isHidden).map((cell) => cell.textContent);
  });

/**
 * Looks at a page in every width and colour.
 *
 * @param {Visit} through
 * @param {string} path
 * @param {(page: Page) => Promise<void>} [prepare]
 */
async function checkEverywhere(through, path, prepare) {
  for (const width of WIDTHS) {
    for (const theme of THEMES) {
      const page = await through.open(path, { width, theme });
      if (await page.$(".flame")) await page.waitForSelector(".flame[data-drawn]");
      await prepare?.(page);
      const where = `${path} ${width} ${theme}`;
      assert.deepEqual(await violations(page), [], where);
      assert.equal(await isTooWide(page), false, `${where} scrolls sideways`);
      await page.close();
    }
  }
}

/** The tabs of a page. @param {Visit} through */
async function tabs(through) {
  const page = await through.open("/");
  const links = await page.$$eval("nav.tabs a", (all) => all.map((link) => link.href));
  await page.close();
  return links.map((link) => link.slice(through.origin.length));
}

test("every tab is for everyone, light and dark, wide and narrow", async (t) => {
  const paths = await tabs(visit);
  assert.ok(paths.length > 8);
  const more = [
    "/stacks?show=tree",
    "/stacks?show=methods",
    "/stacks?show=callers",
    "/stacks?metric=running&up=1&include=System",
    "/stack?id=5",
    "/gc?from=2&to=4&zoom=1",
    "/sql?q=select%20*%20from%20gc",
    "/sql?q=nonsense",
    "/events?name=GC%2FStart",
  ];
  for (const path of [...paths, ...more]) await t.test(path, () => checkEverywhere(visit, path));
});

test("no figure of a route is off to the side", async () => {
  for (const width of [1280, 390]) {
    const page = await visit.open("/", { script: false, width });
    assert.ok((await page.$$(".first td")).length > 3);
    assert.deepEqual(await hidden(page, ".first :is(th, td)"), [], `${width}`);
    await page.close();
  }
});

test("what script opens is for everyone too", async (t) => {
  await t.test("the list of keys", () =>
    checkEverywhere(visit, "/", async (page) => {
      await page.keyboard.press("?");
      assert.ok(await page.$("dialog[open]"));
    }),
  );
  await t.test("the menu of a frame", () =>
    checkEverywhere(visit, "/stacks?search=System", async (page) => {
      await page.focus(".flame-scroll");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("c");
      assert.ok(await page.$(".menu"));
    }),
  );
  await t.test("completion", () =>
    checkEverywhere(visit, "/sql", async (page) => {
      await page.type("textarea[data-sql]", "select * from g");
      assert.ok(await page.$("#completion:not([hidden])"));
    }),
  );
});

test("a comparison is for everyone, and its frames are of both recordings", async (t) => {
  const other = await serve(fixture("healthy"), ["--against", fixture("lock")]);
  try {
    const compared = new Visit(chromium, other.url);
    const paths = await tabs(compared);
    assert.ok(paths.includes("/diff"));
    for (const path of ["/", "/diff", "/stacks", "/stacks?show=methods"])
      await t.test(path, () => checkEverywhere(compared, path));
    await t.test("on a telephone every change is in sight", async () => {
      for (const path of ["/", "/diff"]) {
        const page = await compared.open(path, { script: false, width: 390 });
        assert.deepEqual(await hidden(page, ".changes td.change"), [], path);
        assert.ok((await page.$$(".changes td.change")).length > 3);
        await page.close();
      }
    });
    await t.test("a frame tells what it weighs in both", async () => {
      const page = await compared.flame("/stacks");
      await page.focus(".flame-scroll");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowDown");
      const said = await page.$eval(".flame [aria-live=polite]", (at) => at.textContent ?? "");
      assert.match(said, /in the other recording .+ of all, change (\+|−|new|gone)/);
      await page.close();
    });
    compared.assertQuiet();
  } finally {
    await other.stop();
  }
});

test("benchmark results are for everyone, and every outlier is marked", async (t) => {
  const served = await serve(benchmarks());
  try {
    const visited = new Visit(chromium, served.url);
    const paths = await tabs(visited);
    assert.deepEqual(paths, ["/", "/measurements", "/sql"]);
    for (const path of [...paths, "/sql?q=select%20*%20from%20benchmarks"])
      await t.test(path, () => checkEverywhere(visited, path));
    await t.test("a plot each, without script too", async () => {
      const page = await visited.open("/", { script: false });
      assert.equal((await page.$$(".distribution")).length, 4);
      assert.equal((await page.$$(".distribution .outlier")).length, 2);
      assert.equal((await page.$$(".distribution .value")).length, 117);
      assert.equal(await page.$(".timebar"), null);
      await page.close();
    });
    visited.assertQuiet();
  } finally {
    await served.stop();
  }
});

test("without script a page has its pictures, tables and links", async () => {
  const options = { script: false };
  const stacks = await visit.open("/stacks?metric=running", options);
  assert.ok((await stacks.$$(".flame svg a[href]")).length > 20);
  assert.equal(await stacks.$("canvas"), null);
  assert.ok((await stacks.$$(".lane-plot")).length > 2);
  await Promise.all([stacks.waitForNavigation(), stacks.click(".flame svg a:nth-of-type(2)")]);
  assert.ok(new URL(stacks.url()).searchParams.get("root"));
  assert.ok((await stacks.$$(".crumbs > *")).length > 1);
  await stacks.close();
  const gc = await visit.open("/gc", options);
  assert.ok((await gc.$$("table[data-table=collections] tbody tr")).length > 3);
  assert.ok(await gc.$eval("button[data-copy]", (button) => button.hidden));
  await Promise.all([gc.waitForNavigation(), gc.click(`table[data-table=collections] th[data-column="pause_ns"] a`)]);
  assert.equal(new URL(gc.url()).searchParams.get("collections.sort"), "-pause_ns");
  await gc.close();
});

test("the colours that someone chose are kept", async () => {
  const page = await visit.flame("/stacks");
  const surface = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const pixel = async () => {
    const box = await page.$eval(".flame canvas", (canvas) => canvas.getBoundingClientRect().toJSON());
    return page.screenshot({ encoding: "base64", clip: { x: box.x + 200, y: box.y + 3, width: 4, height: 4 } });
  };
  const [light, frame] = [await surface(), await pixel()];
  await page.click("[data-theme-toggle]");
  assert.notEqual(await surface(), light);
  assert.notEqual(await pixel(), frame, "the flame graph keeps its colours");
  await page.reload();
  await page.waitForSelector("html[data-started]");
  assert.notEqual(await surface(), light);
  await page.click("[data-theme-toggle]");
  assert.equal(await surface(), light);
  await page.close();
});

test("a list of keys opens and closes by keyboard", async () => {
  const page = await visit.open("/sql");
  await page.focus("textarea[data-sql]");
  await page.keyboard.type("?");
  assert.equal(await page.$("dialog[open]"), null);
  await page.focus("nav.tabs a");
  await page.keyboard.press("?");
  assert.ok(await page.$("dialog[open]"));
  await page.keyboard.press("Escape");
  assert.equal(await page.$("dialog[open]"), null);
  await page.close();
});

test("scripts and style are light", async () => {
  const page = await visit.browser.newPage();
  /** @type {Map<string, number>} */
  const sizes = new Map();
  page.on("response", async (answer) => {
    const path = answer.url().slice(visit.origin.length);
    if (path.startsWith("/assets/")) sizes.set(path.replace(/^.*\//, ""), (await answer.buffer()).length);
  });
  await page.goto(`${visit.origin}/stacks`, { waitUntil: "networkidle0" });
  const names = [...sizes.keys()].sort();
  for (const name of ["app.js", "flame.js", "format.js", "graph.js", "menu.js", "paint.js", "sql.js", "style.css", "table.js", "timeline.js"]) {
    assert.ok(names.includes(name), `${name} is not among ${names}`);
  }
  const all = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  assert.ok(all < ASSET_BYTES, `${all} bytes`);
  assert.ok(all < OWN_BYTES, `${all} bytes of scripts and style`);
  await page.close();
});

test("a page of one file shows a section at a time, zooms, and is for everyone", async (t) => {
  const file = await exported(fixture("healthy"));
  try {
    const alone = new Visit(chromium, pathToFileURL(file.path).href);
    const page = await alone.open("");
    const shown = () =>
      page.$$eval("section.view", (all) =>
        all.filter((one) => !(/** @type {HTMLElement} */ (one).hidden)).map((one) => one.id),
      );
    assert.deepEqual(await shown(), ["summary"]);
    await page.click(`nav.tabs a[href="#stacks"]`);
    await page.waitForFunction(() => location.hash === "#stacks");
    assert.deepEqual(await shown(), ["stacks"]);
    assert.equal(await page.$eval("nav.tabs [aria-current]", (at) => at.textContent), "Stacks");

    await page.focus("#stacks .flame-scroll");
    for (const key of /** @type {const} */ (["ArrowDown", "ArrowDown", "Enter"])) await page.keyboard.press(key);
    const crumbs = () =>
      page.$eval("#stacks .crumbs", (at) => (/** @type {HTMLElement} */ (at).hidden ? 0 : at.children.length));
    await page.waitForFunction(() => document.querySelector("#stacks .crumbs")?.children.length === 2);
    await page.goBack();
    await page.waitForFunction(() => document.querySelector("#stacks .crumbs")?.hasAttribute("hidden"));
    assert.equal(await crumbs(), 0);
    assert.deepEqual(await shown(), ["stacks"]);
    await page.close();
    for (const part of ["", "#stacks", "#gc", "#requests", "#events"])
      await t.test(`the file ${part}`, () => checkEverywhere(alone, part));
    await t.test("without script all of it is there", async () => {
      const plain = await alone.open("", { script: false });
      assert.ok((await plain.$$("section.view:not([hidden])")).length > 5);
      assert.ok((await plain.$$(".flame svg")).length > 2);
      await plain.close();
    });
    alone.assertQuiet();
  } finally {
    file.remove();
  }
});

test("nothing was refused, missing or broken", () => visit.assertQuiet());

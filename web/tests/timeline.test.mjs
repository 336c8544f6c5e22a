/** The time line in a browser: a range is selected by mouse and by keyboard, and everything is of it. */

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

/** Where the plots are, and the times of their edges in seconds. @param {Page} page */
function plot(page) {
  return page.$eval(".lanes", (block) => {
    const { dataset } = /** @type {HTMLElement} */ (block);
    const box = block.querySelector(".lane-plot")?.getBoundingClientRect().toJSON();
    return { ...box, from: Number(dataset["fromNs"]) / 1e9, to: Number(dataset["toNs"]) / 1e9 };
  });
}

/** @param {Page} page */
function range(page) {
  const params = new URL(page.url()).searchParams;
  return { from: Number(params.get("from")), to: Number(params.get("to")), root: params.get("root") };
}

/** @param {number} value @param {number} expected @param {number} within */
function near(value, expected, within) {
  assert.ok(Math.abs(value - expected) <= within, `${value} is not within ${within} of ${expected}`);
}

/** @param {Page} page @param {"from" | "to"} end @param {string} name */
const aria = (page, end, name) => page.$eval(`.lane-handle.${end}`, (knob, of) => knob.getAttribute(of), name);

test("all plots have the same extent", async () => {
  const page = await visit.open("/");
  const extents = await page.$$eval(".timebar > .lanes .lane-plot", (plots) =>
    plots.map((one) => [one.getBoundingClientRect().left, one.getBoundingClientRect().width]),
  );
  assert.ok(extents.length > 3);
  for (const extent of extents) assert.deepEqual(extent, extents[0]);
  await page.close();
});

test("every lane shows its scale and what it is, also without script and on a phone", async () => {
  const page = await visit.open("/", { width: 400, script: false });
  const lanes = await page.$$eval(".timebar > .lanes .lane", (all) =>
    all.map((lane) => {
      const of = (/** @type {string} */ name) => [...lane.querySelectorAll(name)];
      const shown = [...of(".lane-scale span"), ...of(".lane-about")];
      const sizes = shown.map((text) => text.getBoundingClientRect());
      const plot = lane.querySelector(".lane-plot")?.getBoundingClientRect().left ?? 0;
      return {
        texts: shown.map((text) => text.textContent ?? ""),
        isSeen: sizes.every(({ left, right, height }) => left >= 0 && right <= innerWidth && height >= 9),
        isBesidePlot: sizes.slice(0, 2).every(({ right }) => right <= plot),
      };
    }),
  );
  assert.ok(lanes.length > 3);
  for (const { texts, isSeen, isBesidePlot } of lanes) {
    assert.match(texts[0] ?? "", /^[\d.,]+ ?\D/);
    assert.equal(texts[1], "0");
    assert.ok((texts[2] ?? "").length > 10);
    assert.ok(isSeen && isBesidePlot, texts.join(", "));
  }
  await page.close();
});

test("the pointer tells the time", async () => {
  const page = await visit.open("/");
  const { x, y, width, from, to } = await plot(page);
  await page.mouse.move(x + width / 4, y + 5);
  const said = await page.$eval(".lane-time", (at) => at.textContent ?? "");
  near(Number.parseFloat(said), from + (to - from) / 4, ((to - from) / width) * 2);
  await page.close();
});

test("dragging selects a range, a double click all of it, and the back button goes back", async () => {
  const page = await visit.open("/stacks?metric=running&root=none");
  const { x, y, width, from, to } = await plot(page);
  const at = (/** @type {number} */ part) => x + width * part;
  await page.mouse.move(at(0.25), y + 5);
  await page.mouse.down();
  await page.mouse.move(at(0.4), y + 8, { steps: 4 });
  const shades = await page.$$eval(".timebar > .lanes .lane-shade", (all) =>
    all.map((one) => /** @type {HTMLElement} */ (one).hidden),
  );
  assert.deepEqual(shades, [false, false]);
  await page.mouse.move(at(0.5), y + 8, { steps: 2 });
  await Promise.all([page.waitForNavigation(), page.mouse.up()]);
  const pixel = (to - from) / width;
  near(range(page).from, from + (to - from) / 4, pixel);
  near(range(page).to, from + (to - from) / 2, pixel);
  assert.equal(range(page).root, null);
  assert.equal(new URL(page.url()).searchParams.get("metric"), "running");

  // Everything is of the range now, and the time line shows it.
  await page.waitForSelector("html[data-started]");
  near(Number(await aria(page, "from", "aria-valuenow")), from + (to - from) / 4, pixel);
  const knob = await page.$eval(".lane-handle.from", (handle) => handle.getBoundingClientRect().toJSON());
  near(knob.x + knob.width / 2, at(0.25), 2);

  await page.goBack();
  await page.waitForSelector("html[data-started]");
  assert.equal(new URL(page.url()).searchParams.get("from"), null);
  await page.goForward();
  await page.waitForSelector("html[data-started]");
  await Promise.all([page.waitForNavigation(), page.mouse.click(at(0.6), y + 5, { count: 2 })]);
  assert.equal(new URL(page.url()).searchParams.get("from"), null);
  await page.close();
});

test("a click selects nothing", async () => {
  const page = await visit.open("/");
  const { x, y, width } = await plot(page);
  const url = page.url();
  await page.mouse.click(x + width / 2, y + 5);
  assert.equal(page.url(), url);
  assert.deepEqual(
    await page.$$eval(".lane-shade", (all) => all.filter((one) => !(/** @type {HTMLElement} */ (one).hidden)).length),
    0,
  );
  await page.close();
});

test("what is pointed at tells its values", async () => {
  const page = await visit.open("/gc");
  const { left, width, y } = await plot(page);
  await page.mouse.move(left + width * 0.5, y);
  await page.waitForFunction(() => document.querySelectorAll("figure[data-lane]").length > 0);
  // The values are asked for by the first move; a second one shows them.
  await page.waitForNetworkIdle({ idleTime: 200 });
  await page.mouse.move(left + width * 0.6, y);
  const heap = await page.$eval("figure[data-lane=heap] .lane-value", (at) => at.textContent ?? "");
  assert.match(heap, /\d.* [kMG]?B/);
  await page.mouse.move(5, 5);
  assert.equal((await page.$$(".lane-value")).length, 0);
  await page.close();
});

test("the handles select a range by keyboard", async () => {
  const page = await visit.open("/gc");
  const { from, to } = await plot(page);
  const part = (to - from) / 100;
  // Ranges are as fine as the picture.
  const fine = (to - from) / 2000;
  await page.focus(".lane-handle.from");
  await page.keyboard.press("ArrowRight");
  near(Number(await aria(page, "from", "aria-valuenow")), from + part, fine);
  assert.match((await aria(page, "from", "aria-valuetext")) ?? "", /Enter shows this range$/);
  await page.keyboard.down("Shift");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.up("Shift");
  near(Number(await aria(page, "from", "aria-valuenow")), from + 11 * part, fine);
  await page.keyboard.press("Escape");
  near(Number(await aria(page, "from", "aria-valuenow")), from, fine);
  await page.keyboard.press("ArrowRight");
  await page.focus(".lane-handle.to");
  await page.keyboard.press("ArrowLeft");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  near(range(page).from, from + part, fine);
  near(range(page).to, to - part, fine);
  await page.close();
});

test("nothing was refused, missing or broken", () => visit.assertQuiet());

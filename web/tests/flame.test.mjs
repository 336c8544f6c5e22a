/** Flame graphs in a browser: zoom, the way back, search, keyboard, menu. Expected is what the page's data has. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, fixture, serve, Visit } from "./site.mjs";

/** @typedef {import("puppeteer-core").Page} Page */
/** @typedef {import("../types.d.ts").FlameData} FlameData */

const PATH = "/stacks?metric=running";
/** The height of a frame, in pixels. */
const ROW = 18;

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

/** @param {Page} page @param {string} [root] @returns {Promise<FlameData>} */
function data(page, root = "") {
  return page.evaluate(async (of) => (await fetch(`flame.json?metric=running&root=${of}`)).json(), root);
}

/** The heaviest child of a node that has frames of its own below. @param {FlameData} of @param {number} parent */
function heaviest({ nodes }, parent) {
  const depth = (nodes.depth[parent] ?? 0) + 1;
  let best = -1;
  for (let at = parent + 1; at < nodes.id.length && (nodes.depth[at] ?? 0) >= depth; at += 1) {
    const isChild = nodes.depth[at] === depth && nodes.depth[at + 1] === depth + 1;
    if (isChild && (best < 0 || (nodes.weight[at] ?? 0) > (nodes.weight[best] ?? 0))) best = at;
  }
  assert.ok(best > 0, "the recording has too few frames");
  return best;
}

/**
 * The middle of a frame on the screen, before any zoom.
 *
 * @param {Page} page
 * @param {FlameData} of
 * @param {number} node
 */
async function middle(page, { nodes }, node) {
  const box = await page.$eval(".flame canvas", (canvas) => canvas.getBoundingClientRect().toJSON());
  const place = ((nodes.start[node] ?? 0) + (nodes.span[node] ?? 0) / 2) / (nodes.span[0] ?? 1);
  return { x: box.x + place * box.width, y: box.y + ((nodes.depth[node] ?? 0) + 0.5) * ROW };
}

/** @param {FlameData} of @param {number} node */
const nameOf = (of, node) => of.names[of.nodes.name[node] ?? -1] ?? "";
/** @param {Page} page */
const crumbs = (page) => page.$$eval(".crumbs > *", (all) => all.map((one) => one.getAttribute("title")));
/** @param {Page} page */
const tip = (page) => page.$eval(".flame-tip", (at) => [...at.children].map((line) => line.textContent ?? ""));
/** @param {Page} page */
const root = (page) => new URL(page.url()).searchParams.get("root");

/** Waits until the zoom has ended and the nodes from the server are drawn. @param {Page} page @param {string} name */
async function zoomedTo(page, name) {
  await page.waitForFunction(
    (wanted) => document.querySelector(".crumbs > :last-child")?.getAttribute("title") === wanted,
    {},
    name,
  );
  await page.waitForFunction(() => document.querySelector(".flame-bar [role=status]")?.textContent === "");
}

test("a click zooms in, the address says so, and back and forward go there", async () => {
  const page = await visit.flame(PATH);
  const whole = await data(page);
  const node = heaviest(whole, 0);
  const at = await middle(page, whole, node);
  await page.mouse.click(at.x, at.y);
  await zoomedTo(page, nameOf(whole, node));
  assert.equal(root(page), whole.nodes.id[node]);

  // The frame is now as wide as the picture, on its first row.
  const canvas = await page.$eval(".flame canvas", (of) => of.getBoundingClientRect().toJSON());
  for (const x of [canvas.x + 3, canvas.right - 3]) {
    await page.mouse.move(x, canvas.y + ROW / 2);
    const [name, share] = await tip(page);
    assert.equal(name, nameOf(whole, node));
    assert.match(share ?? "", /, 100\.0 % of what is zoomed to$/);
  }

  const finer = await data(page, whole.nodes.id[node]);
  const deeper = heaviest(finer, 0);
  const inside = await middle(page, finer, deeper);
  await page.mouse.click(inside.x, inside.y);
  await zoomedTo(page, nameOf(finer, deeper));
  assert.deepEqual(await crumbs(page), ["all", nameOf(whole, node), nameOf(finer, deeper)]);

  await page.goBack();
  await zoomedTo(page, nameOf(whole, node));
  assert.equal(root(page), whole.nodes.id[node]);
  await page.goBack();
  await page.waitForFunction(() => document.querySelector(".crumbs")?.hasAttribute("hidden"));
  assert.equal(root(page), null);
  await page.goForward();
  await zoomedTo(page, nameOf(whole, node));
  await page.close();
});

test("a zoom asks the server for what was too narrow before", async () => {
  const page = await visit.flame(PATH);
  const whole = await data(page);
  assert.ok(whole.hidden_nodes > 0, "the recording has no frame that is too narrow");
  const node = heaviest(whole, 0);
  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => request.url().includes("flame.json") && asked.push(request.url()));
  const at = await middle(page, whole, node);
  await page.mouse.click(at.x, at.y);
  await zoomedTo(page, nameOf(whole, node));
  const roots = asked.map((url) => new URL(url).searchParams.get("root"));
  assert.deepEqual(roots, [whole.nodes.id[node]]);
  await page.close();
});

test("an address with a zoom and a search opens there, and its crumbs lead out", async () => {
  const first = await visit.flame(PATH);
  const whole = await data(first);
  const node = heaviest(whole, 0);
  await first.close();
  const page = await visit.flame(`${PATH}&root=${whole.nodes.id[node]}&search=System`);
  await zoomedTo(page, nameOf(whole, node));
  assert.equal(await page.$eval(".flame-bar input", (input) => input.value), "System");
  assert.match(
    await page.$eval(".flame-bar output", (said) => said.textContent ?? ""),
    /^\d+\.\d % in [\d,]+ frames?$/,
  );
  await page.click(".crumbs a");
  await page.waitForFunction(() => document.querySelector(".crumbs")?.hasAttribute("hidden"));
  assert.equal(root(page), null);
  assert.equal(new URL(page.url()).searchParams.get("search"), "System");
  await page.close();
});

test("a search tells the share of what matches, nested frames counted once", async () => {
  const page = await visit.flame(PATH);
  const whole = await data(page);
  const wanted = /threading/i;
  let [sum, count] = [0, 0];
  /** @type {number[]} depths of the matching frames that are open */
  const open = [];
  for (const [node, depth] of whole.nodes.depth.entries()) {
    while ((open.at(-1) ?? -1) >= depth) open.pop();
    if (!wanted.test(nameOf(whole, node))) continue;
    count += 1;
    if (open.length === 0) sum += whole.nodes.weight[node] ?? 0;
    open.push(depth);
  }
  assert.ok(count > 10);
  await page.keyboard.press("/");
  await page.keyboard.type("threading");
  const said = `${((sum * 100) / (whole.nodes.weight[0] ?? 1)).toFixed(1)} % in ${count.toLocaleString("en")} frames`;
  assert.equal(await page.$eval(".flame-bar output", (output) => output.textContent), said);
  assert.equal(new URL(page.url()).searchParams.get("search"), "threading");

  await page.keyboard.press("Escape");
  const live = () => page.$eval(".flame [aria-live=polite]", (at) => at.textContent ?? "");
  await page.keyboard.press("n");
  const one = await live();
  assert.match(one, wanted);
  await page.keyboard.press("n");
  const two = await live();
  assert.match(two, wanted);
  await page.keyboard.press("N");
  assert.equal(await live(), one);

  await page.click(".flame-bar input", { count: 3 });
  await page.keyboard.type("((");
  assert.equal(await page.$eval(".flame-bar output", (output) => output.textContent), "no frame");
  for (let typed = 0; typed < 2; typed += 1) await page.keyboard.press("Backspace");
  assert.equal(new URL(page.url()).searchParams.get("search"), null);
  await page.close();
});

test("Ctrl+F searches the frames", async () => {
  const page = await visit.flame(PATH);
  await page.keyboard.down("Control");
  await page.keyboard.press("f");
  await page.keyboard.up("Control");
  assert.ok(await page.$eval(".flame-bar input", (input) => input === document.activeElement));
  await page.close();
});

test("the keyboard walks over the frames and tells each", async () => {
  const page = await visit.flame(PATH);
  const whole = await data(page);
  const live = () => page.$eval(".flame [aria-live=polite]", (at) => at.textContent ?? "");
  await page.focus(".flame-scroll");
  await page.keyboard.press("ArrowDown");
  assert.match(await live(), /^all, /);
  await page.keyboard.press("ArrowDown");
  assert.ok((await live()).startsWith(nameOf(whole, 1)));
  const beside = whole.nodes.depth.indexOf(1, 2);
  await page.keyboard.press("ArrowRight");
  assert.ok((await live()).startsWith(nameOf(whole, beside)));
  await page.keyboard.press("ArrowLeft");
  assert.ok((await live()).startsWith(nameOf(whole, 1)));
  await page.keyboard.press("Enter");
  await zoomedTo(page, nameOf(whole, 1));
  assert.equal(root(page), whole.nodes.id[1]);
  await page.keyboard.press("Backspace");
  await page.waitForFunction(() => document.querySelector(".crumbs")?.hasAttribute("hidden"));
  assert.equal(root(page), null);
  await page.close();
});

test("the menu of a frame leads to its callers, and to stacks with and without it", async () => {
  const page = await visit.flame(PATH);
  const whole = await data(page);
  const node = heaviest(whole, 0);
  const at = await middle(page, whole, node);
  await page.mouse.click(at.x, at.y, { button: "right" });
  await page.waitForSelector(".menu");
  const links = await page.$$eval(".menu a", (all) => all.map((link) => link.href));
  const params = links.map((link) => new URL(link).searchParams);
  assert.deepEqual(
    params.map((of) => [...of.keys()].filter((key) => key !== "metric")),
    [["show", "method"], ["include"], ["exclude"], ["fold"]],
  );
  assert.equal(params[0]?.get("method"), nameOf(whole, node));
  await page.keyboard.press("Escape");
  assert.equal(await page.$(".menu"), null);
  assert.equal(root(page), null, "Escape closes the menu and no more");

  // Without the stacks that have the frame, what is left weighs as much less.
  await page.goto(links[2] ?? "");
  await page.waitForSelector(".flame[data-drawn]");
  const without = await page.evaluate(async () => (await fetch(`flame.json${location.search}`)).json());
  assert.ok(without.total <= whole.total - (whole.nodes.weight[node] ?? 0));
  assert.ok(!without.names.includes(nameOf(whole, node)));
  assert.deepEqual(await page.$$eval("main .error", (all) => all.map((one) => one.textContent)), []);

  await page.goBack();
  await page.waitForSelector(".flame[data-drawn]");
  await page.focus(".flame-scroll");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("c");
  await page.keyboard.press("ArrowDown");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal(new URL(page.url()).searchParams.get("method"), nameOf(whole, 1));
  assert.equal(await page.$eval("main h3.name", (head) => head.getAttribute("title")), nameOf(whole, 1));
  await page.close();
});

test("names that look like markup stay names, and 20,000 nested frames work", async () => {
  const name = "<img src=x onerror=alert(1)>&lt;script&gt;";
  const count = 20_000;
  const all = (/** @type {(at: number) => unknown} */ value) => Array.from({ length: count }, (_, at) => value(at));
  const one = () => 1;
  const nodes = {
    id: all((at) => (at === 0 ? "" : `${at}`)),
    name: all((at) => (at === 0 ? 0 : 1)),
    depth: all((at) => at),
    start: all(() => 0),
    span: all(one),
    weight: all(one),
    own: all((at) => (at === count - 1 ? 1 : 0)),
  };
  const deep = {
    ...{ unit: "samples", total: 1, total_against: null, rows: 1, unweighed: 0, hidden_nodes: 0, hidden_weight: 0 },
    ...{ zoom_missed: false, path: [{ id: "", name: "all" }], names: ["all", name], shown_names: ["all", name] },
    ...{ kind: [0, 1], nodes },
    kinds: [
      { tone: "unknown", title: "no name", of: "" },
      { tone: "user-0", title: "Shop", of: "your code" },
    ],
  };
  const answer = (/** @type {string} */ json) => {
    window.fetch = () => Promise.resolve(new Response(json));
  };
  const page = await visit.flame(PATH, { first: (to) => to.evaluateOnNewDocument(answer, JSON.stringify(deep)) });
  assert.equal(await page.$eval(".flame-space", (space) => space.clientHeight), count * ROW);
  await page.$eval(".flame-scroll", (scroll) => scroll.scrollTo(0, 300_000));
  const canvas = await page.$eval(".flame canvas", (of) => of.getBoundingClientRect().toJSON());
  await page.mouse.move(canvas.x + 50, canvas.y + 100);
  assert.equal((await tip(page))[0], name);
  await page.mouse.click(canvas.x + 50, canvas.y + 100);
  await page.waitForFunction(() => document.querySelector(".crumbs:not([hidden])"));
  assert.match(
    await page.$eval(".crumbs :nth-child(2)", (crumb) => crumb.textContent ?? ""),
    /^16,\d+ frames not listed$/,
  );
  assert.equal(await page.$(".flame img, .crumbs img"), null);
  await page.close();
});

test("nothing was refused, missing or broken", () => visit.assertQuiet());

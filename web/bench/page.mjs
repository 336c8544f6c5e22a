// What a reader waits for: measures the pages of a recording in a browser, and speedscope on the same samples beside it.
//
// CASEBOOK=PROGRAM node page.mjs RECORDING SPEEDSCOPE-PROFILE
//
// Everything runs in headless Chromium on loopback; each figure is the middle one of several rounds. A picture counts from
// the first drawing on its canvas, for both programs alike.
import { createServer } from "node:http";
import { createReadStream, existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, normalize } from "node:path";
import { browser as launch, serve } from "../tests/site.mjs";

const ROUNDS = 5;
const [recording = "", profile = ""] = process.argv.slice(2);

/** @typedef {import("puppeteer-core").Page} Page */

/** @param {number[]} figures */
function middle(figures) {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? NaN;
}

/**
 * @param {string} name
 * @param {number[]} figures in milliseconds
 * @param {string} [limit]
 */
function report(name, figures, limit = "") {
  const [least, most] = [Math.min(...figures), Math.max(...figures)];
  const range = figures.length > 1 ? `  (${least.toFixed(0)} to ${most.toFixed(0)})` : "";
  console.log(`${name.padEnd(58)} ${middle(figures).toFixed(0).padStart(7)} ms${range}${limit && `  limit ${limit}`}`);
}

/** Notes when each canvas is drawn on, and when a reader clicks or types. Runs before a page's own scripts. */
function noteDrawing() {
  const seen = { draws: /** @type {number[]} */ ([]), acts: /** @type {number[]} */ ([]) };
  Object.assign(window, { seen });
  const note = () => {
    const now = performance.now();
    if (seen.draws.at(-1) !== now) seen.draws.push(now);
  };
  for (const [kind, names] of /** @type {[any, string[]][]} */ ([
    [CanvasRenderingContext2D.prototype, ["fillRect"]],
    [WebGLRenderingContext.prototype, ["drawArrays", "drawElements"]],
  ])) {
    for (const name of names) {
      const own = kind[name];
      kind[name] = function (/** @type {any[]} */ ...given) {
        note();
        return own.apply(this, given);
      };
    }
  }
  for (const act of ["click", "keydown", "submit"]) {
    addEventListener(act, () => seen.acts.push(performance.now()), true);
  }
}

/** @param {Page} page */
async function drawn(page) {
  await page.waitForFunction("window.seen && window.seen.draws.length > 0", { polling: 5, timeout: 120_000 });
  return Number(await page.evaluate("window.seen.draws[0]"));
}

/**
 * The time from an act to the first and the last drawing that it leads to.
 * @param {Page} page
 * @param {() => Promise<void>} act
 */
async function answered(page, act) {
  await page.evaluate("window.seen.draws.length = 0; window.seen.acts.length = 0");
  await act();
  await page.waitForFunction("window.seen.draws.length > 0", { polling: 5 });
  await page.waitForNetworkIdle({ idleTime: 300 });
  const seen = /** @type {{ draws: number[], acts: number[] }} */ (await page.evaluate("window.seen"));
  const began = seen.acts[0] ?? 0;
  // A pointer that only comes near is drawn, too.
  const draws = seen.draws.filter((drawn) => drawn >= began);
  return { first: (draws[0] ?? NaN) - began, last: (draws.at(-1) ?? NaN) - began };
}

/** The program's own pages. */
async function ours() {
  const began = performance.now();
  const { url, stop } = await serve(recording);
  report("reading and explaining, until the address is printed", [performance.now() - began]);
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.setViewport({ width: 1280, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]);
    await page.evaluateOnNewDocument(noteDrawing);
    await page.goto(url, { waitUntil: "networkidle0" });
    await measure(page, page.url());
  } finally {
    await browser.close();
    await stop();
  }
}

/** @param {Page} page */
async function firstPaint(page) {
  const script = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN";
  await page.waitForFunction(`!isNaN(${script})`);
  return Number(await page.evaluate(script));
}

/**
 * @param {Page} page
 * @param {string} base
 */
async function measure(page, base) {
  const paints = [];
  for (let round = 0; round < ROUNDS; round++) {
    await page.goto(base, { waitUntil: "networkidle0" });
    paints.push(await firstPaint(page));
  }
  report("summary: first paint", paints, "300 ms");
  const cold = [], pictures = [];
  for (const group of ["type", "namespace", "module"]) {
    await page.goto(`${base}stacks?metric=wall&idle=1&group=${group}`, { waitUntil: "networkidle0" });
    cold.push(await drawn(page));
  }
  for (let round = 0; round < ROUNDS; round++) {
    await page.goto(`${base}stacks?metric=wall&idle=1`, { waitUntil: "networkidle0" });
    pictures.push(await drawn(page));
  }
  report("flame graph, shaped for the first time: first picture", cold, "1 s");
  report("flame graph: from the address to the first picture", pictures, "1 s");
  await interact(page, base);
  await weigh(page, base);
}

/**
 * @param {Page} page
 * @param {string} base
 */
async function interact(page, base) {
  const zoom = { first: /** @type {number[]} */ ([]), last: /** @type {number[]} */ ([]) };
  const search = [], filter = [], range = [];
  for (let round = 0; round < ROUNDS; round++) {
    await page.goto(`${base}stacks?metric=wall&idle=1`, { waitUntil: "networkidle0" });
    const canvas = await page.$("canvas");
    await canvas?.scrollIntoView();
    const box = await canvas?.boundingBox();
    if (!box) throw new Error("there is no canvas");
    const { first, last } = await answered(page, () => page.mouse.click(box.x + 60, box.y + 45));
    zoom.first.push(first);
    zoom.last.push(last);
    await page.focus("input[type=search]");
    search.push((await answered(page, () => page.keyboard.type("T"))).last);
    filter.push(await changed(page, () => page.goto(`${base}stacks?metric=wall&idle=1&my=1`)));
    range.push(await changed(page, () => page.goto(`${base}stacks?metric=wall&idle=1&from=2&to=${4 + round}`)));
  }
  report("zoom: from the click to the new picture", zoom.first, "100 ms");
  report("zoom: until the server's finer picture is drawn", zoom.last, "100 ms");
  report("search: from the key to the marks", search, "100 ms");
  report("filter (just my code): to the new picture", filter, "100 ms");
  report("filter (a range of time): to the new picture", range, "100 ms");
}

/**
 * The time from the beginning of a navigation to its picture.
 * @param {Page} page
 * @param {() => Promise<unknown>} go
 */
async function changed(page, go) {
  await go();
  return drawn(page);
}

/**
 * Bytes of our own code and style, unpacked.
 * @param {Page} page
 * @param {string} base
 */
async function weigh(page, base) {
  await page.goto(base, { waitUntil: "networkidle0" });
  const names = /** @type {string[]} */ (
    await page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
  );
  let bytes = 0;
  for (const name of names.filter((name) => name.includes("/assets/"))) {
    bytes += Number(await page.evaluate(`fetch(${JSON.stringify(name)}).then((r) => r.arrayBuffer()).then((b) => b.byteLength)`));
  }
  console.log(`${"page weight: code and style, unpacked".padEnd(58)} ${(bytes / 1000).toFixed(0).padStart(7)} kB  limit 300 kB`);
}

/** speedscope's own release on the same samples. */
async function speedscope() {
  const folder = dirname(createRequire(import.meta.url).resolve("speedscope/dist/release/index.html"));
  const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json" };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://x").pathname;
    const file = path === "/profile.json" ? profile : join(folder, normalize(path));
    if (!existsSync(file)) return void response.writeHead(404).end();
    const type = /** @type {Record<string, string>} */ (types)[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type, "content-length": statSync(file).size });
    createReadStream(file).pipe(response);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const browser = await launch();
  try {
    const times = [];
    for (let round = 0; round < 3; round++) {
      const page = await browser.newPage();
      await page.evaluateOnNewDocument(noteDrawing);
      await page.goto(`http://127.0.0.1:${port}/index.html#profileURL=/profile.json`);
      times.push(await drawn(page));
      await page.close();
    }
    report(`speedscope ${(statSync(profile).size / 1e6).toFixed(0)} MB of JSON: to the first picture`, times);
  } finally {
    await browser.close();
    server.close();
  }
}

await ours();
if (profile) await speedscope();

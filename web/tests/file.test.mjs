/**
 * A page of one file that somebody got to write into: nothing of it runs, and nothing of it reaches another machine.
 *
 * In Chromium, and in Firefox where there is one.
 */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { browser, exported, firefox, fixture, stranger } from "./site.mjs";

/** What a text that became markup after all could hold. @param {string} spy an address */
function injected(spy) {
  const run = "document.documentElement.dataset.ran = 1";
  return `<script>${run}</script><script src="data:text/javascript,${run}"></script>
    <script type="module" src="data:text/javascript,${run}"></script><script src="${spy}/script.js"></script>
    <script type="module">import "casebook/app"; ${run}</script><script nonce="0">${run}</script>
    <img src="${spy}/img" onerror="${run}"><svg onload="${run}"></svg><link rel="stylesheet" href="${spy}/style.css">
    <style>body { background: url(${spy}/background); display: none }</style><iframe src="${spy}/frame"></iframe>
    <iframe srcdoc="<script>parent.${run}</script>"></iframe><video src="${spy}/video"></video>
    <object data="${spy}/object"></object><base href="${spy}/"><link rel="prefetch" href="${spy}/prefetch">
    <form id="go" action="${spy}/form"><button id="press">x</button></form>`;
}

for (const [kind, launch] of /** @type {const} */ ([
  ["Chromium", browser],
  ["Firefox", firefox],
])) {
  test(`what is written into a page of one file neither runs nor reaches a server (${kind})`, async (context) => {
    const through = await launch();
    if (!through) return context.skip("there is no Firefox");
    const file = await exported(fixture("healthy"));
    const spy = await stranger("127.0.0.1", 0, () => ["text/javascript", "document.documentElement.dataset.ran = 1"]);
    try {
      const html = readFileSync(file.path, "utf8");
      for (const place of ["<main", "</body>"]) {
        writeFileSync(file.path, html.replace(place, `${injected(spy.origin)}${place}`));
        const page = await through.newPage();
        await page.goto(pathToFileURL(file.path).href);
        await page.waitForSelector("html[data-started]");
        await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector("#press")).click());
        await new Promise((resolve) => setTimeout(resolve, 500));
        assert.equal(await page.$eval("html", (of) => of.dataset["ran"]), undefined, place);
        assert.deepEqual(spy.received, [], place);
        assert.notEqual(await page.$eval("body", (of) => getComputedStyle(of).display), "none");
        await page.close();
      }
      // Untouched it works.
      writeFileSync(file.path, html);
      const page = await through.newPage();
      await page.goto(pathToFileURL(file.path).href);
      await page.waitForSelector("html[data-started]");
      await page.click('nav.tabs a[href="#stacks"]');
      await page.waitForSelector("#stacks .flame[data-drawn] canvas");
    } finally {
      spy.close();
      file.remove();
      await through.close();
    }
  });
}

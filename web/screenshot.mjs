// Makes the picture of the README anew: CASEBOOK=PROGRAM node screenshot.mjs FILE.png
import { browser as launch, fixture, serve } from "./tests/site.mjs";

const [file = ""] = process.argv.slice(2);
const { url, stop } = await serve(fixture("starvation"));
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 800, deviceScaleFactor: 1.5 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  await page.goto(url, { waitUntil: "networkidle0" });
  await page.screenshot({ path: /** @type {`${string}.png`} */ (file) });
} finally {
  await browser.close();
  await stop();
}

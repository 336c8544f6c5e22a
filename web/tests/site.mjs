/**
 * The program serving a recording, and a browser that looks at it: what every test of the pages begins with.
 *
 * `CASEBOOK` names the program; recordings are those of `fixtures/`. A page that a test opens fails it by any error on
 * its console, by anything that the Content-Security-Policy refuses, and by any answer of 4xx or 5xx.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

/** @typedef {import("puppeteer-core").Page} Page */
/** @typedef {import("puppeteer-core").Browser} Browser */

const START_MS = 60_000;

/** @param {string} name of a recording */
export function fixture(name) {
  return fileURLToPath(new URL(`../../fixtures/${name}.nettrace.zst`, import.meta.url));
}

/** Benchmark results: evidence of a kind that has no time. */
export function benchmarks() {
  return fileURLToPath(new URL("../../fixtures/parse-report-full.json.zst", import.meta.url));
}

/** The program under test. */
export function program() {
  const path = process.env["CASEBOOK"];
  assert.ok(path, "CASEBOOK names the program: CASEBOOK=target/release/casebook node --test");
  return path;
}

/** The first of these programs that is there. @param {string[]} names */
function installed(names) {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  for (const name of names) {
    for (const folder of folders) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // In another folder, then.
      }
    }
  }
  return undefined;
}

/** @returns {Promise<Browser>} */
export function browser() {
  const executablePath = installed(["chromium", "chromium-browser", "google-chrome"]);
  if (!executablePath) throw new Error("no Chromium on the PATH: install it (Debian: `apt install chromium`)");
  // The sandbox needs rights that containers do not give; the pages are our own.
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"];
  return puppeteer.launch({ executablePath, headless: true, args });
}

/** Firefox, where there is one. @param {boolean} script @returns {Promise<Browser | undefined>} */
export async function firefox(script = true) {
  const executablePath = installed(["firefox", "firefox-esr"]);
  // Firefox turns script off for all its windows only.
  const extraPrefsFirefox = { "javascript.enabled": script };
  return executablePath
    ? puppeteer.launch({ browser: "firefox", executablePath, headless: true, extraPrefsFirefox })
    : undefined;
}

/**
 * Serves a recording.
 *
 * @param {string} file
 * @param {string[]} [more] further arguments
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>} the address with the token that works once
 */
export async function serve(file, more = []) {
  const child = spawn(program(), ["open", file, ...more, "--no-browser", "--port", "0"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  /** @type {string} */
  const url = await new Promise((resolve, reject) => {
    let text = "";
    const late = setTimeout(() => reject(new Error(`no address after ${START_MS} ms: ${text}`)), START_MS);
    const read = (/** @type {Buffer} */ chunk) => {
      text += chunk;
      const found = /http:\/\/127(\.\d+){3}:\d+\/\?token=\w+/.exec(text);
      if (!found) return;
      clearTimeout(late);
      resolve(found[0]);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { url, stop };
}

/**
 * Serves a recording on a desktop whose `xdg-open` only notes what it is to open.
 *
 * @param {string} file
 * @param {string[]} [more] further arguments
 * @returns {Promise<{ file: string, origin: string, key: string, stop: () => Promise<void> }>} what is to be opened,
 *   and what its page says
 */
export async function handed(file, more = []) {
  const home = mkdtempSync(join(tmpdir(), "casebook-home-"));
  const noted = join(home, "noted");
  writeFileSync(join(home, "xdg-open"), `#!/bin/sh\nprintf %s "$1" > "${noted}.part"; mv "${noted}.part" "${noted}"\n`);
  chmodSync(join(home, "xdg-open"), 0o755);
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, HOME: home, DISPLAY: ":9", PATH: `${home}${delimiter}${process.env["PATH"]}` };
  for (const name of ["SUDO_UID", "WSL_DISTRO_NAME", "WSL_INTEROP"]) delete env[name];
  const child = spawn(program(), ["open", file, ...more], { stdio: "ignore", env });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  for (let turn = 0; turn < START_MS / 20 && !existsSync(noted); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const page = readFileSync(noted, "utf8");
  const content = readFileSync(page, "utf8");
  const origin = /http:\/\/127(\.\d+){3}:\d+/.exec(content)?.[0];
  const key = /value="(\w{32})"/.exec(content)?.[1];
  assert.ok(origin && key, content);
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(home, { recursive: true });
  };
  return { file: page, origin, key, stop };
}

/**
 * Writes a recording as a page of one file, in a folder of its own.
 *
 * @param {string} file
 * @returns {Promise<{ path: string, remove: () => void }>}
 */
export async function exported(file) {
  const folder = mkdtempSync(join(tmpdir(), "casebook-web-"));
  const path = join(folder, "page.html");
  const child = spawn(program(), ["export", file, "--to", "html", "-o", path], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (/** @type {Buffer} */ chunk) => {
    said += chunk;
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(code, 0, `casebook export --to html: ${said}`);
  return { path, remove: () => rmSync(folder, { recursive: true }) };
}

/**
 * A server of another user, which answers with `page` and records what browsers send.
 *
 * @param {string} host
 * @param {number} port 0 for any
 * @param {(path: string) => [type: string, body: string]} page
 */
export async function stranger(host, port, page) {
  /** @type {{ path: string, cookie: string | undefined, body: string }[]} */
  const received = [];
  const server = createServer(async (asked, answer) => {
    let body = "";
    for await (const piece of asked) body += piece;
    received.push({ path: asked.url ?? "", cookie: asked.headers.cookie, body });
    const [type, text] = page(asked.url ?? "");
    answer.setHeader("content-type", type);
    answer.end(text);
  });
  await new Promise((resolve) => server.listen(port, host, () => resolve(undefined)));
  const at = /** @type {import("node:net").AddressInfo} */ (server.address()).port;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { received, close, port: at, origin: `http://${host}:${at}` };
}

/** A browser that has let itself in, with what it met. */
export class Visit {
  /**
   * @param {Browser} through
   * @param {string} url with the token, or of a file
   */
  constructor(through, url) {
    this.browser = through;
    this.first = url;
    /** Where the pages are, once the browser is in; what precedes a path. */
    this.origin = "";
    /** @type {string[]} */
    this.problems = [];
  }

  /**
   * Opens a page of the site.
   *
   * @param {string} path with parameters
   * @param {{ script?: boolean, width?: number, height?: number, theme?: "light" | "dark",
   *   first?: (page: Page) => Promise<unknown> }} [options] `first` is done before anything of the page is there
   * @returns {Promise<Page>}
   */
  async open(path, { script = true, width = 1280, height = 900, theme = "light", first } = {}) {
    const page = await this.browser.newPage();
    await page.setViewport({ width, height });
    await page.setJavaScriptEnabled(script);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    page.on("console", (message) => {
      if (["error", "warn", "issue"].includes(message.type())) this.problems.push(`${path}: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.problems.push(`${path}: ${error}`));
    page.on("response", (answer) => {
      if (answer.status() >= 400) this.problems.push(`${path}: ${answer.url()} answered ${answer.status()}`);
    });
    if (!this.origin && this.first.startsWith("http")) {
      await page.goto(this.first);
      this.origin = page.url().replace(/\/$/, "");
    }
    await first?.(page);
    await page.goto(this.origin ? this.origin + path : this.first + path);
    if (script) await page.waitForSelector("html[data-started]");
    return page;
  }

  /**
   * Opens a page and waits for its flame graph.
   *
   * @param {string} path
   * @param {Parameters<Visit["open"]>[1]} [options]
   */
  async flame(path, options) {
    const page = await this.open(path, options);
    await page.waitForSelector(".flame[data-drawn] canvas");
    return page;
  }

  /** Nothing was refused, missing or broken. */
  assertQuiet() {
    assert.deepEqual(this.problems, []);
  }
}

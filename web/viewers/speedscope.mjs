// The exports in speedscope: the file for it against its schema, and this and all others that it reads by its own
// importer, in a headless Chromium. The importer must not complain, and must come to the sums of the tables.
//
// speedscope keeps what it has imported to itself, so the one statement that hands it to the view is made to leave it
// on the window, too; a version without that statement fails here.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import puppeteer from "puppeteer-core";
import { equal, exported, finish, truly } from "./checks.mjs";

/** @typedef {{ name: string, total: number, held: number }} Imported */

const RELEASE = join(dirname(fileURLToPath(import.meta.url)), "../node_modules/speedscope/dist/release");
const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const HANDS_OVER = "this.props.setProfileGroup(a)";
const MAX_MILLIS = 120_000;

/** The profiles of all threads, by how their names begin, and the sums that they have to have. */
const SUMS = {
  "All threads: running (": "running",
  "All threads: running and": "samples",
  "All threads: waiting": "waiting",
  "All threads: allocations": "allocated_bytes",
  "All threads: waits for locks": "contention_ns",
  "All threads: waits for handles": "waits_ns",
  "All threads: exceptions": "exceptions",
};

const exports_ = exported();
const schema = JSON.parse(readFileSync(join(RELEASE, "file-format-schema.json"), "utf8"));
const valid = new Ajv({ strict: false, allErrors: false }).compile(schema);

for (const one of exports_) {
  const file = JSON.parse(readFileSync(one.file("speedscope.json"), "utf8"));
  equal(`${one.name}: the schema of speedscope`, valid(file) ? null : valid.errors, null);
}

const server = createServer((request, response) => {
  const [, kind, folder, name] = decodeURIComponent(request.url ?? "").split(/[?/]/u);
  const one = exports_.find((one) => one.name === folder);
  try {
    if (kind === "made" && one !== undefined && name !== undefined) {
      response.end(readFileSync(one.file(name)));
      return;
    }
    // Names of the release folder have no slash.
    const bytes = readFileSync(join(RELEASE, String(kind)));
    const type = kind?.endsWith(".js") ? "text/javascript" : kind?.endsWith(".css") ? "text/css" : "text/html";
    response.setHeader("content-type", type);
    response.end(kind?.startsWith("speedscope-") && type === "text/javascript" ? watched(bytes) : bytes);
  } catch {
    response.statusCode = 404;
    response.end();
  }
});

/** The program with the imported profiles left on the window. @param {Buffer} bytes */
function watched(bytes) {
  const text = bytes.toString("utf8");
  if (!text.includes(HANDS_OVER)) throw new Error("speedscope hands profiles over in another way: see HANDS_OVER");
  return text.replace(HANDS_OVER, () => `(window.imported=a,${HANDS_OVER})`);
}

await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(undefined)));
const address = server.address();
if (address === null || typeof address === "string") throw new Error("the server has no port");
const origin = `http://127.0.0.1:${address.port}`;
const flags = ["--no-sandbox", "--enable-unsafe-swiftshader"];
const browser = await puppeteer.launch({ executablePath: CHROMIUM, args: flags, headless: true });

/**
 * Loads a file as a person does; gives its profiles, what was complained of, and how long it took.
 * @param {string} folder @param {string} name
 */
async function imported(folder, name) {
  const page = await browser.newPage();
  /** @type {string[]} */
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) complaints.push(message.text());
  });
  page.on("dialog", (dialog) => {
    complaints.push(dialog.message());
    dialog.dismiss().catch(() => undefined);
  });
  const url = `${origin}/index.html#profileURL=${encodeURIComponent(`${origin}/made/${folder}/${name}`)}`;
  const begun = performance.now();
  /** @type {Imported[]} */
  let profiles = [];
  try {
    await page.goto(url);
    await page.waitForFunction("window.imported !== undefined", { timeout: MAX_MILLIS, polling: 20 });
    const millis = performance.now() - begun;
    console.log(`${folder}/${name}: in speedscope after ${Math.round(millis)} ms`);
    profiles = /** @type {Imported[]} */ (
      await page.evaluate(
        `imported.profiles.map((profile) => ({
          name: profile.getName(),
          total: profile.getTotalWeight(),
          held: profile.getTotalNonIdleWeight(),
        }))`,
      )
    );
  } catch (error) {
    complaints.push(String(error));
  }
  await page.close();
  // What the browser says of its own drawing, and of an icon that it asks for, is not about the file.
  return { profiles, complaints: complaints.filter((text) => !/WebGL|favicon/u.test(text)).slice(0, 3) };
}

try {
  for (const one of exports_) {
    const own = await imported(one.name, "speedscope.json");
    equal(`${one.name}: complaints of speedscope`, own.complaints, []);
    for (const [begin, name] of Object.entries(SUMS)) {
      const sum = own.profiles.find((profile) => profile.name.startsWith(begin))?.total ?? 0;
      equal(`${one.name}: ${begin}…`, sum, truly(one, name));
    }
    const lines = own.profiles.filter((profile) => profile.name.endsWith(": wall clock")).length;
    equal(`${one.name}: time lines of threads`, lines, truly(one, "threads"));

    const folded = await imported(one.name, "samples.folded");
    equal(`${one.name}: complaints of speedscope on folded stacks`, folded.complaints, []);
    equal(`${one.name}: folded stacks in speedscope`, folded.profiles[0]?.total, truly(one, "samples"));

    const pprof = await imported(one.name, "pprof.pb.gz");
    equal(`${one.name}: complaints of speedscope on pprof`, pprof.complaints, []);
    const first = truly(one, "running") > 0 ? "running" : "samples";
    equal(`${one.name}: pprof in speedscope`, pprof.profiles[0]?.total, truly(one, first));

    const chrome = await imported(one.name, "trace.json");
    equal(`${one.name}: complaints of speedscope on the Chrome trace`, chrome.complaints, []);
    const expected = lanes(one.file("trace.json"));
    equal(`${one.name}: lanes of the Chrome trace`, chrome.profiles.length, expected.length);
    const found = chrome.profiles.map((profile) => Math.round(profile.held)).sort((a, b) => a - b);
    equal(`${one.name}: microseconds in boxes, by lane`, found, expected);
  }
} finally {
  await browser.close();
  server.close();
}
finish();

/** Microseconds that each lane has boxes for. @param {string} path @returns {number[]} */
function lanes(path) {
  /** @type {{ traceEvents: { ph: string, tid: number, ts: number }[] }} */
  const file = JSON.parse(readFileSync(path, "utf8"));
  /** @type {Map<number, { depth: number, from: number, sum: number }>} */
  const lanes = new Map();
  for (const { ph, tid, ts } of file.traceEvents) {
    if (ph !== "B" && ph !== "E") continue;
    const lane = lanes.get(tid) ?? { depth: 0, from: 0, sum: 0 };
    lanes.set(tid, lane);
    if (ph === "B" && lane.depth === 0) lane.from = ts;
    lane.depth += ph === "B" ? 1 : -1;
    if (lane.depth === 0) lane.sum += ts - lane.from;
  }
  return [...lanes.values()].map((lane) => Math.round(lane.sum)).sort((a, b) => a - b);
}

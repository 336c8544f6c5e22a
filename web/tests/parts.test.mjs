/** What the modules work out, without a browser. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Graph, legend, pattern, search, step } from "casebook/graph";
import { escaped } from "casebook/menu";
import { candidates, tablesIn, words } from "casebook/sql";
import { csv, field, order } from "casebook/table";
import { moved, timeAt, valueAt } from "casebook/timeline";

/**
 * ```text
 * all 10
 * pay 6            ship 3
 * pay 4     wait 1 wait 3
 * wait 2
 * ```
 */
function shop() {
  return new Graph({
    unit: "samples",
    sample_ns: null,
    also: {},
    total: 10,
    total_against: null,
    rows: 10,
    unweighed: 0,
    hidden_nodes: 0,
    hidden_weight: 0,
    zoom_missed: false,
    path: [{ id: "", name: "all" }],
    names: ["all", "Shop!pay", "B!wait", "Shop!ship"],
    shown_names: ["all", "pay", "wait", "ship"],
    kind: [0, 1, 2, 1],
    kinds: [
      { tone: "unknown", title: "no name", of: "" },
      { tone: "user-1", title: "Shop", of: "your code" },
      { tone: "framework", title: "the runtime", of: "" },
    ],
    nodes: {
      id: ["", "a", "b", "c", "d", "e", "f"],
      name: [0, 1, 1, 2, 2, 3, 2],
      depth: [0, 1, 2, 3, 2, 1, 2],
      start: [0, 0, 0, 0, 4, 6, 6],
      span: [10, 6, 4, 2, 1, 3, 3],
      weight: [10, 6, 4, 2, 1, 3, 3],
      own: [1, 1, 2, 2, 1, 0, 3],
    },
  });
}

test("nodes in pre-order make a tree", () => {
  const graph = shop();
  assert.deepEqual([...graph.parent], [-1, 0, 1, 2, 1, 0, 5]);
  assert.deepEqual([...graph.end], [7, 5, 4, 4, 5, 7, 7]);
  assert.deepEqual(graph.rows, [[0], [1, 5], [2, 4, 6], [3]]);
  assert.deepEqual(
    graph.path(3).map(({ id }) => id),
    ["", "a", "b", "c"],
  );
  assert.equal(graph.height(0), 4);
  assert.equal(graph.height(5), 2);
});

test("the legend lists the modules of what is shown, most first", () => {
  const of = (/** @type {number} */ top) => legend(shop(), top).listed.map(({ title }) => title);
  // The frame above all stands for no module.
  assert.deepEqual(of(0), ["Shop", "the runtime"]);
  assert.deepEqual(of(3), ["the runtime"]);
  const { data } = shop();
  const many = new Graph({
    ...data,
    kind: data.names.map((_, at) => at),
    kinds: data.names.map((title) => ({ tone: "user-0", title, of: "your code" })),
    names: data.names,
  });
  assert.deepEqual(legend(many, 0).others, 0);
});

test("a place of a row is in one node or in none", () => {
  const graph = shop();
  const check = (/** @type {number} */ depth, /** @type {number} */ at, /** @type {number | null} */ expected) =>
    assert.equal(graph.find(depth, at), expected);
  check(1, 0, 1);
  check(1, 5.9, 1);
  check(1, 6, 5);
  check(1, 9.5, null);
  check(2, 5.5, null);
  check(9, 1, null);
});

test("what matches within what matches is not counted twice", () => {
  const graph = shop();
  const found = (/** @type {string} */ text, top = 0) => {
    const { nodes, weight } = search(graph, top, pattern(text));
    return [nodes, weight];
  };
  assert.deepEqual(found("pay"), [[1, 2], 6]);
  assert.deepEqual(found("wait"), [[3, 4, 6], 6]);
  assert.deepEqual(found("pay|wait"), [[1, 2, 3, 4, 6], 9]);
  assert.deepEqual(found("wait", 1), [[3, 4], 3]);
  assert.deepEqual(found("nothing"), [[], 0]);
});

test("a search that takes too long stops and says so", () => {
  let now = 0;
  const slow = () => (now += 300);
  assert.equal(search(shop(), 0, /wait/, slow).isWhole, false);
  assert.equal(search(shop(), 0, /wait/).isWhole, true);
});

test("case counts only in patterns with capitals, and a part of a name matches itself", () => {
  assert.ok(pattern("shop").test("Shop!pay"));
  assert.ok(!pattern("SHOP").test("Shop!pay"));
  assert.ok(pattern("shop\\S").test("SHOP!"));
  assert.ok(pattern("Add(").test("Shop!Cart.Add(int32)"));
  const name = "Shop!Cart+<>c.<Add>b__3_1(class C`1<!0>[])";
  assert.ok(pattern(name).test(name));
  assert.ok(!pattern(name).test("Shop!Cart.Add"));
});

test("a name as a pattern matches itself", () => {
  for (const name of ["A!B`1[C].D(System.String, int[])", "a+b*c?{2}^$|\\x-~#&"]) {
    assert.ok(new RegExp(`^${escaped(name).replace(/\\([#&~-])/g, "$1")}$`).test(name), name);
  }
});

test("the scale of differences has its ends where one side has nothing", () => {
  assert.deepEqual(
    [step(0.5, 0), step(0, 0.5), step(0.5, 0.5), step(0, 0), step(0.5, 0.25), step(0.25, 0.5)],
    [5, -5, 0, 0, 2, -2],
  );
});

test("fields of CSV follow RFC 4180 and are no formulas", () => {
  const text = (/** @type {string} */ of) => field({ text: of, number: null });
  assert.equal(field(null), "");
  assert.equal(field({ text: "-12.5", number: -12.5 }), "-12.5");
  assert.equal(text(""), '""');
  assert.equal(text("plain"), "plain");
  assert.equal(text('a "b", c'), '"a ""b"", c"');
  assert.equal(text("two\nlines"), '"two\nlines"');
  for (const sign of ["=", "+", "-", "@"]) assert.equal(text(`${sign}1`), `'${sign}1`);
  assert.equal(text("\t=1"), "\t'=1");
  assert.equal(text('=HYPERLINK("x","y")'), `"'=HYPERLINK(""x"",""y"")"`);
  assert.equal(
    csv([
      [{ text: "a", number: null }, null],
      [
        { text: "1", number: 1 },
        { text: "b", number: null },
      ],
    ]),
    "a,\r\n1,b\r\n",
  );
});

test("what is missing stands last whatever the direction", () => {
  const number = (/** @type {number} */ of) => ({ text: String(of), number: of });
  const text = (/** @type {string} */ of) => ({ text: of, number: null });
  const values = [text("b"), null, number(10), number(9), text("a10"), text("a9")];
  const sorted = (/** @type {boolean} */ descending) =>
    [...values].sort((a, b) => order(a, b, descending)).map((value) => value?.text ?? "none");
  assert.deepEqual(sorted(false), ["9", "10", "a9", "a10", "b", "none"]);
  assert.deepEqual(sorted(true), ["b", "a10", "a9", "10", "9", "none"]);
});

test("a place of a plot is a time within it", () => {
  const span = { from: 1000, to: 2000 };
  assert.deepEqual(
    [timeAt(0, 100, span), timeAt(50, 100, span), timeAt(200, 100, span), timeAt(-5, 100, span), timeAt(5, 0, span)],
    [1000, 1500, 2000, 1000, 1000],
  );
});

test("a handle passes neither the other nor the end", () => {
  const span = { from: 0, to: 1000 };
  const range = { from: 200, to: 800 };
  assert.deepEqual(moved(range, "from", 300, span), { from: 300, to: 800 });
  assert.deepEqual(moved(range, "from", 900, span), { from: 799, to: 800 });
  assert.deepEqual(moved(range, "from", -50, span), { from: 0, to: 800 });
  assert.deepEqual(moved(range, "to", 5000, span), { from: 200, to: 1000 });
  assert.deepEqual(moved(range, "to", 0, span), { from: 200, to: 201 });
});

const SCHEMA = {
  tables: [
    { name: "gc", about: "A collection.", columns: [column("number", ""), column("pause_ns", "ns")] },
    { name: "samples", about: "A sample.", columns: [column("thread", ""), column("stack", "")] },
    { name: "stacks", about: "A stack.", columns: [column("id", ""), column("frame", "")] },
  ],
};

/** @param {string} name @param {string} unit */
function column(name, unit) {
  return { name, type: "integer", unit, about: "" };
}

/** What is offered at `|`. @param {string} query @param {number} [most] */
function offered(query, most = 3) {
  const caret = query.indexOf("|");
  const found = candidates(query.replace("|", ""), caret, SCHEMA).candidates;
  return found.slice(0, most).map(({ text }) => text);
}

test("tables stand after from and join, and their columns elsewhere", () => {
  assert.deepEqual(offered("select * from s|"), ["samples", "stacks"]);
  assert.deepEqual(offered("select * from gc join |"), ["gc", "samples", "stacks"]);
  assert.deepEqual(offered("select * from gc, st|"), ["stacks"]);
  assert.deepEqual(offered("select pau| from gc"), ["pause_ns"]);
  assert.deepEqual(offered("select th| from samples"), ["thread", "then"]);
  assert.deepEqual(offered("select * from gc where n|", 1), ["number"]);
  assert.deepEqual(offered("select coun|"), ["count("]);
});

test("a qualified name offers the columns of its table, also by another name", () => {
  assert.deepEqual(offered("select s.| from samples as s"), ["thread", "stack"]);
  assert.deepEqual(offered("select t.f| from samples s join stacks t on t.id = s.stack"), ["frame"]);
  assert.deepEqual(offered("select gc.p| from gc"), ["pause_ns"]);
  assert.deepEqual(offered("select x.| from gc"), []);
});

test("nothing is offered within texts and comments", () => {
  assert.deepEqual(offered("select 'sel|"), []);
  assert.deepEqual(offered("select 1 -- fro|"), []);
  assert.deepEqual(offered("select 1 /* fro|"), []);
  assert.deepEqual(offered("select 'it''s', th| from samples", 1), ["thread"]);
});

test("a word that is complete offers nothing", () => {
  assert.deepEqual(offered("select thread| from samples"), []);
});

test("the words of a query leave texts and comments out", () => {
  assert.deepEqual(words("select a, 'b c' -- d\nfrom \"e f\" /* g */"), ["select", "a", ",", "from", "e f"]);
  assert.deepEqual([...tablesIn("select * from GC g, samples", SCHEMA).keys()], ["gc", "g", "samples"]);
});

test("values of a lane are those of its piece, and of a stretch that is near", () => {
  const lane = {
    unit: "B",
    layers: [
      { name: "gen 0", values: [1000, null, 3000, 4000] },
      { name: "gen 2", values: [0, null, 7, null] },
    ],
    stretches: /** @type {[number, number][]} */ ([[50, 2_000_000]]),
  };
  const at = (/** @type {number} */ ns) => valueAt({ ...lane, stretches: [] }, ns, { from: 0, to: 100 });
  assert.equal(at(0), "gen 0 1 kB · gen 2 0 B");
  assert.equal(at(30), "");
  assert.equal(at(99), "gen 0 4 kB");
  assert.equal(at(100), "gen 0 4 kB");
  assert.equal(valueAt({ ...lane, layers: [] }, 50, { from: 0, to: 100 }), "2 ms");
});

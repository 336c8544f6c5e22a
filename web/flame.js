/**
 * Flame graphs on a canvas: zoom, search, keyboard, and a menu of actions for a frame.
 *
 * The page has the picture as SVG; this redraws it from `flame.json`, or from data inside a page of one file. A zoom
 * is drawn at once from the known nodes, then again with the finer nodes that the server sends. Zoom and search are
 * part of the address.
 *
 * ```text
 * FlameData ─► graph (rows by depth, parents, ends) ─► camera (from, to, depth) ─► paint ─► canvas
 * ```
 */

import { address, carry, counted, duration, element, isFile, isTyping, percent, weight } from "casebook/format";
import { Graph, legend, pattern, search } from "casebook/graph";
import { escaped, openMenu, place } from "casebook/menu";
import { Painter, ROW } from "casebook/paint";

/** @typedef {import("./types.d.ts").Spot} Spot */
/** @typedef {import("./types.d.ts").Camera} Camera */

const ZOOM_MS = 110;
/** How many answers are kept, so that going back needs no request. */
const KEPT = 12;
/** How many frames of the path to the zoomed frame are listed. */
const CRUMBS = 40;
const LABEL =
  "Flame graph. Arrow keys move between frames, Enter zooms in, Backspace and Escape zoom out, " +
  "C opens a menu, slash searches.";

/**
 * In a page of one file, the zoom of each graph: the address has no place for it.
 *
 * @type {Record<string, string>}
 */
let zooms = {};

/**
 * Replaces the picture of a flame graph by its parts.
 *
 * @param {HTMLElement} host
 */
function build(host) {
  const input = element("input", {
    type: "search",
    placeholder: "Search: regular expression",
    autocomplete: "off",
    spellcheck: "false",
  });
  const button = (/** @type {string} */ text, /** @type {string} */ about) =>
    element("button", { type: "button", title: about, "aria-label": about }, text);
  const bar = {
    input,
    matched: element("output", { class: "hint" }),
    previous: button("↑", "Previous match (N)"),
    next: button("↓", "Next match (n)"),
    whole: button("Zoom out", "Zoom out to the whole (Esc)"),
    said: element("span", { class: "hint", role: "status" }),
  };
  const canvas = element("canvas", { "aria-hidden": "true" });
  const space = element("div", { class: "flame-space" }, canvas);
  const scroll = element(
    "div",
    { class: "flame-scroll", tabindex: "0", role: "application", "aria-label": LABEL },
    space,
  );
  const live = element("p", { class: "quiet", "aria-live": "polite" });
  const tip = element("div", { class: "flame-tip", hidden: true, "aria-hidden": "true" });
  const label = element("label", {}, element("span", { class: "quiet" }, "Search frames"), input);
  const line = element(
    "div",
    { class: "flame-bar", role: "group", "aria-label": "Frames" },
    label,
    bar.previous,
    bar.next,
    bar.matched,
    bar.whole,
    bar.said,
  );
  host.replaceChildren(line, scroll, live, tip);
  return { bar, canvas, space, scroll, live, tip };
}

/** A flame graph of the page. */
export class Flame {
  /**
   * @param {HTMLElement} host
   * @param {Graph} graph
   */
  constructor(host, graph) {
    this.host = host;
    this.url = host.dataset["flameUrl"] ?? null;
    this.graph = graph;
    /** @type {Map<string, Graph>} answers by the requested id */
    this.kept = new Map();
    /** @type {Map<string, string>} the shown names, by full name */
    this.shorts = new Map();
    this.crumbs = crumbsOf(host);
    for (const crumb of this.crumbs.children)
      this.shorts.set(crumb.getAttribute("title") ?? "", crumb.textContent ?? "");
    this.keep(graph.path(0).at(-1)?.id ?? "", graph);
    this.top = 0;
    /** @type {Camera} */
    this.camera = { from: 0, to: 0, depth: 0 };
    /** @type {number | null} */
    this.hovered = null;
    /** @type {number | null} */
    this.focused = null;
    /** @type {ReturnType<typeof search> | null} */
    this.found = null;
    /** @type {Set<number>} */
    this.marked = new Set();
    /** @type {AbortController | null} */
    this.asking = null;
    this.animation = 0;
    const parts = build(host);
    this.bar = parts.bar;
    this.canvas = parts.canvas;
    this.space = parts.space;
    this.scroll = parts.scroll;
    this.live = parts.live;
    this.tip = parts.tip;
    this.painter = new Painter(parts.canvas, host);
    /** The page's own text about what is too narrow. After a zoom it is no longer true. */
    this.hint = host.nextElementSibling?.matches("p.hint") ? host.nextElementSibling : null;
    /** The method of the list that is pointed at, and so marked instead of what the search found. @type {string | null} */
    this.pointed = null;
    /** The rows of the list of methods beside the picture, by the full name. @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    for (const row of host.closest(".flame-and-top")?.querySelectorAll("[data-name]") ?? []) {
      if (row instanceof HTMLElement) this.rows.set(row.dataset["name"] ?? "", row);
    }
    /** What the colours mean. A comparison has other colours, whose legend stays. */
    const above = this.crumbs.previousElementSibling;
    this.legend = above?.matches(".legend") && !host.hasAttribute("data-compared") ? above : null;
    this.listen();
    this.listenToRows();
    this.look(0);
    this.setSearch(host.dataset["search"] ?? "");
  }

  listen() {
    const { scroll, canvas } = this;
    const redraw = () => this.draw();
    new ResizeObserver(redraw).observe(scroll);
    scroll.addEventListener("scroll", () => {
      this.hover(null);
      this.draw();
    });
    document.addEventListener("casebook:theme", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    canvas.addEventListener("pointermove", (event) => this.hover(this.at(event)));
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("click", (event) => {
      const spot = this.at(event);
      if (spot !== null) this.zoom(this.graph.id(spot.node));
    });
    canvas.addEventListener("contextmenu", (event) => {
      const spot = this.at(event);
      if (spot === null) return;
      event.preventDefault();
      openMenu(this, spot);
    });
    scroll.addEventListener("keydown", (event) => this.key(event));
    for (const left of [scroll, this.bar.input]) left.addEventListener("blur", () => this.showTip(null));
    this.bar.input.addEventListener("input", () => this.setSearch(this.bar.input.value, true));
    this.bar.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1, false);
      else if (event.key === "Escape") scroll.focus();
      else return;
      event.preventDefault();
    });
    this.bar.next.addEventListener("click", () => this.step(1, false));
    this.bar.previous.addEventListener("click", () => this.step(-1, false));
    this.bar.whole.addEventListener("click", () => this.zoom(this.graph.data.path[0]?.id ?? ""));
    document.addEventListener("keydown", (event) => {
      const isFind = event.key === "f" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
      const isSlash = event.key === "/" && !isTyping(event) && !event.ctrlKey && !event.metaKey;
      const isShown = scroll.offsetParent !== null && document.querySelector("dialog[open]") === null;
      // Ctrl+F again opens the browser's own search.
      if (!isShown || !(isFind || isSlash) || event.defaultPrevented || document.activeElement === this.bar.input)
        return;
      event.preventDefault();
      this.bar.input.focus();
      this.bar.input.select();
    });
    addEventListener("popstate", (event) => this.back(event));
  }

  /** A method of the list is marked in the picture while it is pointed at, and for good with a click. */
  listenToRows() {
    for (const [name, row] of this.rows) {
      row.title = "Point at it to mark it in the picture; a click or Enter keeps the mark";
      row.tabIndex = 0;
      for (const enters of ["pointerenter", "focusin"]) row.addEventListener(enters, () => this.markMethod(name));
      for (const leaves of ["pointerleave", "focusout"]) row.addEventListener(leaves, () => this.mark());
      const keep = (/** @type {Event} */ event) => {
        if (event.target instanceof Element && event.target.closest("a")) return;
        const exactly = `^${escaped(name)}$`;
        this.setSearch(this.bar.input.value === exactly ? "" : exactly, true);
      };
      row.addEventListener("click", keep);
      row.addEventListener("keydown", (event) => {
        if (event.key === "Enter") keep(event);
      });
    }
  }

  /** Marks the frames of a method instead of the matches of the search. @param {string} name */
  markMethod(name) {
    const { graph } = this;
    const nodes = [...graph.data.nodes.name.keys()];
    this.marked = new Set(nodes.filter((node) => graph.name(node) === name));
    this.pointed = name;
    this.draw();
  }

  /** Shows the state that the address asks for. @param {PopStateEvent} event */
  back(event) {
    if (this.url === null) {
      const kept = event.state?.zooms;
      if (!kept) return;
      zooms = kept;
      this.go(kept[this.slot()] ?? this.graph.data.path[0]?.id ?? "");
      return;
    }
    const params = new URLSearchParams(location.search);
    this.setSearch(params.get("search") ?? "");
    this.go(params.get("root") ?? "");
  }

  slot() {
    return this.host.dataset["flameData"] ?? "";
  }

  // --- Zoom.

  /** Zooms to the node with an id. The back button undoes it. @param {string} id */
  zoom(id) {
    const at = this.graph.path(this.top).at(-1)?.id ?? "";
    if (id === at) return;
    if (this.url === null) {
      zooms = { ...zooms, [this.slot()]: id };
      history.pushState({ zooms }, "");
    } else {
      history.pushState(null, "", address({ root: id }));
      carry("root", id);
    }
    this.go(id);
  }

  /** Shows the node with an id: at once if it is known, then with everything from the server. @param {string} id */
  async go(id) {
    this.asking?.abort();
    this.hover(null);
    this.say("");
    const before = this.graph.id(this.top);
    const inside = this.graph.byId.get(id);
    const known = this.kept.get(id) ?? this.holder(id);
    let moved = Promise.resolve();
    if (inside !== undefined) {
      moved = this.move(inside, cameraOn(this.graph, inside));
    } else if (known) {
      this.use(known);
      const [top, from] = [known.byId.get(id) ?? 0, known.byId.get(before)];
      if (from !== undefined) this.camera = cameraOn(known, from);
      moved = this.move(top, cameraOn(known, top), from === undefined);
    }
    const complete = this.graph.data.hidden_nodes === 0 && (inside !== undefined || known);
    if (this.url === null || complete) return;
    const asking = new AbortController();
    this.asking = asking;
    this.say("…");
    try {
      const graph = this.kept.get(id) ?? (await fetched(address({ root: id }, this.url), asking.signal));
      await moved;
      if (asking.signal.aborted) return;
      this.keep(id, graph);
      this.use(graph);
      this.look(0);
      this.say(
        graph.data.zoom_missed
          ? "The zoomed frame has no weight in this selection: the frame above it is shown."
          : "",
      );
    } catch (error) {
      if (!asking.signal.aborted)
        this.say(`Nothing finer to be had: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Takes another answer. The focused frame stays focused if the answer has it. @param {Graph} graph */
  use(graph) {
    this.focused = this.focused === null ? null : (graph.byId.get(this.graph.id(this.focused)) ?? null);
    this.graph = graph;
  }

  /** A kept answer that contains a node. @param {string} id */
  holder(id) {
    return [...this.kept.values()].find((graph) => graph.byId.has(id));
  }

  /**
   * @param {string} id
   * @param {Graph} graph
   */
  keep(id, graph) {
    this.kept.delete(id);
    this.kept.set(id, graph);
    for (const [at, name] of graph.data.names.entries()) this.shorts.set(name, graph.data.shown_names[at] ?? name);
    const [oldest] = this.kept.keys();
    if (this.kept.size > KEPT && oldest !== undefined) this.kept.delete(oldest);
  }

  /** Shows a node without an animation. @param {number} top */
  look(top) {
    this.camera = cameraOn(this.graph, top);
    this.settle(top);
  }

  /** @param {number} top */
  settle(top) {
    this.top = top;
    this.marked = new Set();
    this.hovered = null;
    const isInside = this.focused !== null && this.focused >= top && this.focused < (this.graph.end[top] ?? 0);
    if (!isInside) this.focused = null;
    const height = this.graph.height(top) * ROW;
    this.space.style.height = `${height}px`;
    if (this.scroll.clientHeight > 0) {
      // The content below must not jump at every zoom.
      this.scroll.style.minHeight = `${this.scroll.clientHeight}px`;
      this.scroll.scrollTop = 0;
    }
    this.showPath();
    this.showLegend();
    this.showHidden();
    this.bar.whole.disabled = this.graph.path(top).length < 2;
    this.mark();
  }

  /**
   * @param {number} top
   * @param {Camera} to
   * @param {boolean} [atOnce]
   * @returns {Promise<void>} when it is there
   */
  move(top, to, atOnce = false) {
    const from = this.camera;
    this.top = top;
    cancelAnimationFrame(this.animation);
    const isStill = atOnce || matchMedia("(prefers-reduced-motion: reduce)").matches || !this.scroll.offsetParent;
    if (isStill) {
      this.look(top);
      return Promise.resolve();
    }
    this.scroll.scrollTop = 0;
    return new Promise((done) => {
      let began = 0;
      const frame = (/** @type {number} */ now) => {
        began ||= now;
        const part = Math.min(1, (now - began) / ZOOM_MS);
        const eased = 1 - (1 - part) ** 3;
        const between = (/** @type {number} */ a, /** @type {number} */ b) => a + (b - a) * eased;
        this.camera = {
          from: between(from.from, to.from),
          to: between(from.to, to.to),
          depth: between(from.depth, to.depth),
        };
        if (part < 1) {
          this.draw();
          this.animation = requestAnimationFrame(frame);
        } else {
          this.look(top);
          done();
        }
      };
      this.animation = requestAnimationFrame(frame);
    });
  }

  showPath() {
    const { crumbs } = this;
    const path = this.graph.path(this.top);
    crumbs.hidden = path.length < 2;
    const left = path.length - CRUMBS;
    const shown = left > 0 ? [...path.slice(0, 1), ...path.slice(left + 1)] : path;
    const items = shown.map(({ id, name }, at) => this.crumb(id, name, at === shown.length - 1));
    if (left > 0) items.splice(1, 0, element("span", { class: "hint" }, `${counted(left, "frame")} not listed`));
    crumbs.replaceChildren(...items);
    crumbs.scrollLeft = crumbs.scrollWidth;
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {boolean} isLast
   * @returns {HTMLElement}
   */
  crumb(id, name, isLast) {
    const text = this.shorts.get(name) ?? name;
    if (isLast) return element("span", { title: name, "aria-current": "true" }, text);
    /** @type {HTMLElement} */
    const link =
      this.url === null
        ? element("button", { type: "button", title: name }, text)
        : element("a", { title: name, href: address({ root: id }) }, text);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.zoom(id);
      this.scroll.focus({ preventScroll: true });
    });
    return link;
  }

  showLegend() {
    const { listed, others } = legend(this.graph, this.top);
    const entries = listed.map(({ tone, title, of }) =>
      element("li", {}, element("span", { class: `swatch ${tone}` }), of === "" ? title : `${title} (${of})`),
    );
    if (others > 0) entries.push(element("li", {}, `and ${counted(others, "other")}`));
    this.legend?.replaceChildren(...entries);
  }

  showHidden() {
    const { hidden_nodes: hidden, hidden_weight: weighs, total } = this.graph.data;
    if (!this.hint || this.url === null) return;
    this.hint.textContent =
      hidden > 0
        ? `${counted(hidden, "subtree")} too narrow to be drawn (${percent(weighs, total)}): zoom in to see them.`
        : "";
  }

  /** @param {string} text */
  say(text) {
    this.bar.said.textContent = text;
  }

  // --- Searching.

  /**
   * @param {string} text
   * @param {boolean} [isTyped] whether the address has to follow
   */
  setSearch(text, isTyped = false) {
    if (this.bar.input.value !== text) this.bar.input.value = text;
    if (isTyped && this.url !== null) {
      history.replaceState(history.state, "", address({ search: text }));
      carry("search", text);
    }
    this.mark();
  }

  /** Marks the matches of the search in the picture. */
  mark() {
    const text = this.bar.input.value;
    this.pointed = null;
    this.found = text === "" ? null : search(this.graph, this.top, pattern(text), () => performance.now());
    this.marked = new Set(this.found?.nodes);
    this.bar.matched.textContent = this.foundInWords();
    for (const button of [this.bar.next, this.bar.previous]) button.disabled = !this.found?.nodes.length;
    this.draw();
  }

  /** What the search found. */
  foundInWords() {
    if (this.found === null) return "";
    const { nodes, weight: sum, isWhole } = this.found;
    if (nodes.length === 0) return isWhole ? "no frame" : "stopped: the pattern takes too long";
    const share = percent(sum, this.graph.weight(this.top));
    return `${share} in ${counted(nodes.length, "frame")}${isWhole ? "" : ", and stopped: the pattern takes too long"}`;
  }

  /**
   * Goes to another match.
   *
   * @param {1 | -1} by
   * @param {boolean} [isHere] whether the graph has the keyboard
   */
  step(by, isHere = true) {
    const nodes = this.found?.nodes ?? [];
    if (nodes.length === 0) return;
    const at = this.focused ?? (by > 0 ? -1 : Infinity);
    const ahead = by > 0 ? nodes.find((node) => node > at) : nodes.findLast((node) => node < at);
    this.focus(ahead ?? nodes.at(by > 0 ? 0 : -1) ?? null);
    if (isHere) this.scroll.focus({ preventScroll: true });
  }

  // --- Keyboard and pointer.

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { graph, top } = this;
    const at = this.focused ?? top;
    const row = graph.rows[graph.depth(at)] ?? [];
    const beside = (/** @type {number} */ by) => {
      const next = row[row.indexOf(at) + by];
      return next !== undefined && next >= top && next < (graph.end[top] ?? 0) ? next : at;
    };
    const below = at + 1 < (graph.end[at] ?? 0) ? at + 1 : at;
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowDown: () => this.focus(this.focused === null ? top : below),
      ArrowUp: () => this.focus(at === top ? top : (graph.parent[at] ?? top)),
      ArrowLeft: () => this.focus(beside(-1)),
      ArrowRight: () => this.focus(beside(1)),
      Home: () => this.focus(top),
      Enter: () => this.zoom(graph.id(at)),
      Backspace: () => this.zoom(graph.path(top).at(-2)?.id ?? graph.path(top)[0]?.id ?? ""),
      Escape: () => this.zoom(graph.data.path[0]?.id ?? ""),
      n: () => this.step(1),
      N: () => this.step(-1),
      c: () => this.menuAt(at),
      ContextMenu: () => this.menuAt(at),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** @param {number} node */
  menuAt(node) {
    this.focus(node);
    const box = this.boxOf(node);
    openMenu(this, { node, x: box.x, y: box.y + ROW });
  }

  /** The place of a frame on the screen, or of its visible part. @param {number} node */
  boxOf(node) {
    const { graph, camera } = this;
    const box = this.scroll.getBoundingClientRect();
    const scale = this.scroll.clientWidth / (camera.to - camera.from || 1);
    const x = box.x + Math.max(0, (graph.start(node) - camera.from) * scale);
    return { x, y: box.y + (graph.depth(node) - camera.depth) * ROW - this.scroll.scrollTop };
  }

  /** @param {number | null} node */
  focus(node) {
    this.focused = node;
    if (node !== null) {
      const y = (this.graph.depth(node) - this.graph.depth(this.top)) * ROW;
      const height = this.scroll.clientHeight;
      if (y < this.scroll.scrollTop) this.scroll.scrollTop = y;
      else if (y + ROW > this.scroll.scrollTop + height) this.scroll.scrollTop = y + ROW - height;
      this.live.textContent = this.lines(node).join(", ");
      const box = this.boxOf(node);
      this.showTip({ node, x: box.x, y: box.y + ROW });
    } else {
      this.showTip(null);
    }
    this.draw();
  }

  /** @param {MouseEvent} event @returns {Spot | null} */
  at(event) {
    const { graph, camera, canvas, scroll } = this;
    const box = canvas.getBoundingClientRect();
    const depth = Math.floor((event.clientY - box.y + scroll.scrollTop) / ROW + camera.depth);
    const x = camera.from + ((event.clientX - box.x) / (box.width || 1)) * (camera.to - camera.from);
    const node = depth < graph.depth(this.top) ? null : graph.find(depth, x);
    return node === null ? null : { node, x: event.clientX, y: event.clientY };
  }

  /** @param {Spot | null} spot */
  hover(spot) {
    this.canvas.style.cursor = spot === null ? "default" : "pointer";
    this.showTip(spot);
    if (this.hovered === (spot?.node ?? null)) return;
    this.hovered = spot?.node ?? null;
    const name = spot === null ? null : this.graph.name(spot.node);
    for (const [of, row] of this.rows) row.classList.toggle("marked-row", of === name);
    this.draw();
  }

  /** The lines of the tooltip of a frame. @param {number} node */
  lines(node) {
    const { graph } = this;
    const { unit, total, total_against: other, nodes, sample_ns: each } = graph.data;
    const time = (/** @type {number} */ value) => (each === null ? "" : ` ≈ ${duration((value * each) / 1e6)}`);
    const count = (/** @type {number} */ value) =>
      weight(value, unit) + (unit === "samples" || unit === "events" ? ` ${unit}` : "");
    const worth = (/** @type {number} */ value) => count(value) + time(value);
    const weighs = graph.weight(node);
    const caller = (graph.parent[node] ?? -1);
    const ofZoom =
      this.top !== 0 || graph.data.path.length > 1
        ? `, ${percent(weighs, graph.weight(this.top))} of what is zoomed to`
        : "";
    const lines = [
      graph.name(node),
      `${worth(weighs)}: ${percent(weighs, total)} of all${ofZoom}`,
      ...(caller > 0 ? [`${percent(weighs, graph.weight(caller))} of the frame above`] : []),
      `own ${worth(nodes.own[node] ?? 0)}`,
    ];
    if (nodes.against && other !== null) {
      const there = nodes.against[node] ?? 0;
      const change = there > 0 ? `${weighs >= there ? "+" : "−"}${percent(Math.abs(weighs - there), there)}` : "new";
      lines.push(
        `in the other recording ${count(there)}: ${percent(there, other)} of all`,
        `change ${weighs > 0 ? change : "gone"}`,
      );
    }
    return lines;
  }

  /** @param {Spot | null} spot */
  showTip(spot) {
    const { tip } = this;
    tip.hidden = spot === null;
    if (spot === null) return;
    tip.replaceChildren(...this.lines(spot.node).map((line, at) => element(at === 0 ? "b" : "span", {}, line)));
    place(tip, spot.x + 12, spot.y + 14);
  }

  draw() {
    const { graph, camera, focused, hovered, scroll } = this;
    if (scroll.clientWidth === 0) return;
    const marked = this.found === null && this.pointed === null ? null : this.marked;
    const scene = { graph, camera, focused, hovered, marked, scrolled: scroll.scrollTop };
    this.painter.draw(scene, scroll.clientWidth, scroll.clientHeight);
  }
}

/** @param {Graph} graph @param {number} node @returns {Camera} */
function cameraOn(graph, node) {
  return { from: graph.start(node), to: graph.start(node) + graph.span(node), depth: graph.depth(node) };
}

/**
 * The line with the path to the zoomed frame: the page's, or a new one.
 *
 * @param {HTMLElement} host
 * @returns {HTMLElement}
 */
function crumbsOf(host) {
  const before = host.previousElementSibling;
  if (before instanceof HTMLElement && before.matches(".crumbs")) return before;
  const crumbs = element("div", { class: "crumbs", role: "group", "aria-label": "Zoomed to", hidden: true });
  host.before(crumbs);
  return crumbs;
}

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<Graph>}
 */
async function fetched(url, signal) {
  const answer = await fetch(url, signal ? { signal } : {});
  if (!answer.ok) throw new Error(`the program answered ${answer.status}`);
  return new Graph(await answer.json());
}

/** Draws every flame graph of the page. */
export function startFlames() {
  if (isFile()) {
    // A step to another section is a new place in the history, without a zoom of its own yet.
    const keep = () => history.state === null && history.replaceState({ zooms }, "");
    addEventListener("hashchange", keep);
    keep();
  }
  for (const host of document.querySelectorAll("[data-flame]")) {
    if (host instanceof HTMLElement) void startFlame(host);
  }
}

/** @param {HTMLElement} host */
async function startFlame(host) {
  const { flameUrl, flameData } = host.dataset;
  try {
    if (flameUrl !== undefined) {
      new Flame(host, await fetched(flameUrl));
    } else {
      const text = document.getElementById(flameData ?? "")?.textContent;
      if (!text) throw new Error("its data is not in this page");
      new Flame(host, new Graph(JSON.parse(text)));
    }
    host.dataset["drawn"] = "";
  } catch (error) {
    host.dataset["broken"] = "";
    const why = error instanceof Error ? error.message : String(error);
    host.after(element("p", { class: "hint", role: "status" }, `The picture cannot be moved in: ${why}.`));
  }
}

/**
 * The time line: the values under the pointer, and the range of time that the rest of the page shows.
 *
 * All plots of a block have the same horizontal extent, so one scale maps positions to times. A range is selected by
 * dragging, or by keyboard with the two handles. It becomes the parameters `from` and `to` in seconds.
 */

import { address, duration, element, isFile, moment, seconds, show } from "casebook/format";

/** A drag over fewer pixels is a click, not a selection. */
const MIN_PIXELS = 4;

/**
 * The time at a position of a plot.
 *
 * @param {number} x from the plot's left edge
 * @param {number} width of the plot
 * @param {{ from: number, to: number }} span nanoseconds
 * @returns {number} nanoseconds, within the span
 */
export function timeAt(x, width, span) {
  const part = width > 0 ? Math.min(1, Math.max(0, x / width)) : 0;
  return Math.round(span.from + part * (span.to - span.from));
}

/**
 * The range after a handle is moved.
 *
 * @param {{ from: number, to: number }} range the selected range
 * @param {"from" | "to"} end
 * @param {number} to the new time of the handle
 * @param {{ from: number, to: number }} span
 * @returns {{ from: number, to: number }}
 */
export function moved(range, end, to, span) {
  const least = Math.max(1, Math.round((span.to - span.from) / 1000));
  return end === "from"
    ? { ...range, from: Math.round(Math.max(span.from, Math.min(to, range.to - least))) }
    : { ...range, to: Math.round(Math.min(span.to, Math.max(to, range.from + least))) };
}

/**
 * What a lane shows: per layer one value for each piece of the range, or stretches of time as start and length.
 *
 * @typedef {{ unit: string, layers: { name: string, values: (number | null)[] }[], stretches: [number, number][] }} Values
 */

/**
 * The values at a time, as text.
 *
 * @param {Values} lane
 * @param {number} ns
 * @param {{ from: number, to: number }} span
 * @returns {string}
 */
export function valueAt({ unit, layers, stretches }, ns, span) {
  const length = span.to - span.from || 1;
  const words = layers.map(({ name, values }) => {
    const value = values[Math.min(values.length - 1, Math.floor(((ns - span.from) / length) * values.length))];
    if (value === null || value === undefined) return "";
    return name === "" || layers.length === 1 ? show(value, unit) : `${name} ${show(value, unit)}`;
  });
  // Within two pixels of a plot of usual width, a stretch counts as hit.
  const near = stretches.find(([from, long]) => ns >= from - length / 500 && ns <= from + long + length / 500);
  if (near) words.push(duration(near[1] / 1e6));
  return words.filter((word) => word !== "").join(" · ");
}

/** A block of lanes. */
class Lanes {
  /**
   * @param {HTMLElement} block
   * @param {Bar | null} bar nothing where no range can be selected
   */
  constructor(block, bar) {
    this.block = block;
    this.bar = bar;
    this.span = { from: Number(block.dataset["fromNs"] ?? 0), to: Number(block.dataset["toNs"] ?? 0) };
    this.cross = element("div", { class: "lane-cross", hidden: true });
    this.time = element("output", { class: "lane-time", hidden: true, "aria-hidden": "true" });
    this.before = element("div", { class: "lane-shade", hidden: true });
    this.after = element("div", { class: "lane-shade", hidden: true });
    block.append(this.before, this.after, this.cross, this.time);
    /** @type {Map<string, Values> | null} what the lanes show, once it has arrived */
    this.values = null;
    block.addEventListener("pointerenter", () => void this.load(), { once: true });
    block.addEventListener("pointermove", (event) => this.point(event));
    block.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.bar?.show()).observe(block);
    if (bar === null) return;
    block.classList.add("can-select");
    block.addEventListener("pointerdown", (event) => this.drag(event, bar));
    block.addEventListener("dblclick", (event) => {
      if (this.isOnPlot(event)) bar.go(null);
    });
  }

  /** The position of the plots from the block's left edge. */
  extent() {
    const plot = this.block.querySelector(".lane-plot")?.getBoundingClientRect();
    const own = this.block.getBoundingClientRect();
    return { left: (plot?.left ?? own.left) - own.left, width: plot?.width ?? 0, edge: plot?.left ?? own.left };
  }

  /** @param {number} ns */
  place(ns) {
    const { left, width } = this.extent();
    const part = (ns - this.span.from) / (this.span.to - this.span.from || 1);
    return left + Math.min(1, Math.max(0, part)) * width;
  }

  /** @param {MouseEvent} event */
  isOnPlot(event) {
    const { edge, width } = this.extent();
    return event.clientX >= edge && event.clientX <= edge + width;
  }

  /** @param {MouseEvent} event */
  at(event) {
    const { edge, width } = this.extent();
    return timeAt(event.clientX - edge, width, this.span);
  }

  /** Requests the values of the lanes. Without them only the time is shown. */
  async load() {
    if (isFile()) return;
    const answer = await fetch(`lanes.json${location.search}`).catch(() => null);
    if (!answer?.ok) return;
    /** @type {{ lanes: (Values & { id: string })[] }} */
    const { lanes } = await answer.json();
    this.values = new Map(lanes.map((lane) => [lane.id, lane]));
  }

  /** Shows the value of each lane at a time. @param {number | null} ns */
  tell(ns) {
    for (const figure of this.block.querySelectorAll("figure[data-lane]")) {
      const values = this.values?.get(figure.getAttribute("data-lane") ?? "");
      let value = figure.querySelector(".lane-value");
      if (ns === null || !values) {
        value?.remove();
        continue;
      }
      if (!value) {
        value = element("output", { class: "lane-value", "aria-hidden": "true" });
        figure.querySelector(".lane-room")?.append(value);
      }
      value.textContent = valueAt(values, ns, this.span);
    }
  }

  /** Shows the time under the pointer. @param {PointerEvent | null} event */
  point(event) {
    const isShown = event !== null && this.isOnPlot(event);
    this.cross.hidden = !isShown;
    this.time.hidden = !isShown;
    this.tell(isShown ? this.at(event) : null);
    if (!isShown) return;
    const ns = this.at(event);
    const x = this.place(ns);
    this.cross.style.left = `${x}px`;
    const { selecting } = this.bar ?? { selecting: null };
    this.time.textContent = selecting === null ? moment(ns) : inWords(selecting);
    const isLate = x > this.block.clientWidth - 160;
    this.time.style.left = isLate ? "" : `${x + 8}px`;
    this.time.style.right = isLate ? `${this.block.clientWidth - x + 8}px` : "";
  }

  /** @param {PointerEvent} event @param {Bar} bar */
  drag(event, bar) {
    const isLink = event.target instanceof Element && event.target.closest("a, button, summary, input, figcaption") !== null;
    if (event.button !== 0 || event.pointerType === "touch" || isLink || !this.isOnPlot(event)) return;
    const [began, x] = [this.at(event), event.clientX];
    const held = new AbortController();
    const { signal } = held;
    this.block.setPointerCapture(event.pointerId);
    const range = (/** @type {MouseEvent} */ to) => {
      const other = this.at(to);
      return { from: Math.min(began, other), to: Math.max(began, other) };
    };
    const isWide = (/** @type {MouseEvent} */ to) => Math.abs(to.clientX - x) >= MIN_PIXELS;
    this.block.addEventListener("pointermove", (to) => bar.select(isWide(to) ? range(to) : null), { signal });
    this.block.addEventListener(
      "pointerup",
      (to) => {
        held.abort();
        if (!isWide(to)) return;
        bar.select(range(to));
        bar.go(bar.selecting);
      },
      { signal },
    );
    const cancel = () => {
      held.abort();
      bar.select(null);
    };
    this.block.addEventListener("pointercancel", cancel, { signal });
    addEventListener("keydown", (key) => key.key === "Escape" && cancel(), { signal });
    event.preventDefault();
  }

  /** Shades everything outside the range. @param {{ from: number, to: number } | null} range */
  shade(range) {
    const { left, width } = this.extent();
    const isShown = range !== null && width > 0 && (range.from > this.span.from || range.to < this.span.to);
    this.before.hidden = !isShown;
    this.after.hidden = !isShown;
    if (!isShown) return;
    const [from, to] = [this.place(range.from), this.place(range.to)];
    this.before.style.left = `${left}px`;
    this.before.style.width = `${from - left}px`;
    this.after.style.left = `${to}px`;
    this.after.style.width = `${left + width - to}px`;
  }
}

/** The page's time line, with the range that the page shows. */
class Bar {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    /** @type {{ from: number, to: number } | null} the range being selected */
    this.selecting = null;
    this.lanes = [...host.querySelectorAll(".lanes")].map(
      (block) => new Lanes(/** @type {HTMLElement} */ (block), this),
    );
    const ns = (/** @type {string | undefined} */ text) => Math.round(Number(text ?? 0) * 1e9);
    this.span = this.lanes[0]?.span ?? { from: 0, to: 0 };
    const chosen = { from: ns(host.dataset["from"]), to: ns(host.dataset["to"]) };
    this.chosen = host.hasAttribute("data-chosen") ? chosen : this.span;
    this.handles = this.lanes[0] ? [this.handle("from", "Beginning"), this.handle("to", "End")] : [];
    for (const { knob } of this.handles) this.lanes[0]?.block.append(knob);
    this.show();
  }

  /** @param {"from" | "to"} end @param {string} title */
  handle(end, title) {
    const knob = element("div", {
      class: `lane-handle ${end}`,
      role: "slider",
      tabindex: "0",
      "aria-label": `${title} of the selected range`,
    });
    knob.addEventListener("keydown", (event) => this.key(event, end));
    return { end, knob };
  }

  /** @param {KeyboardEvent} event @param {"from" | "to"} end */
  key(event, end) {
    const { span } = this;
    const range = this.selecting ?? this.chosen;
    const by = ((span.to - span.from) / 100) * (event.shiftKey ? 10 : 1);
    /** @type {Record<string, number>} */
    const places = {
      ArrowLeft: range[end] - by,
      ArrowDown: range[end] - by,
      ArrowRight: range[end] + by,
      ArrowUp: range[end] + by,
      Home: span.from,
      End: span.to,
    };
    const to = places[event.key];
    if (to !== undefined) this.select(moved(range, end, to, span));
    else if (event.key === "Enter" && this.selecting !== null) this.go(this.selecting);
    else if (event.key === "Escape") this.select(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {{ from: number, to: number } | null} range */
  select(range) {
    // Rounded to what the picture can show: nobody means the exact nanosecond under the pointer.
    const step = Math.max(1, 10 ** Math.floor(Math.log10(Math.max(1, this.span.to - this.span.from) / 5000)));
    const { from, to } = this.span;
    const round = (/** @type {number} */ ns) => Math.min(to, Math.max(from, Math.round(ns / step) * step));
    this.selecting = range && { from: round(range.from), to: Math.max(round(range.to), round(range.from) + 1) };
    this.show();
  }

  show() {
    const range = this.selecting ?? this.chosen;
    for (const lanes of this.lanes) lanes.shade(range);
    const { span } = this;
    for (const { end, knob } of this.handles) {
      knob.style.left = `${this.lanes[0]?.place(range[end]) ?? 0}px`;
      knob.setAttribute("aria-valuemin", seconds(span.from));
      knob.setAttribute("aria-valuemax", seconds(span.to));
      knob.setAttribute("aria-valuenow", seconds(range[end]));
      knob.setAttribute(
        "aria-valuetext",
        this.selecting === null ? moment(range[end]) : `${moment(range[end])}; Enter shows this range`,
      );
    }
    // The form already has the chosen range, with its exact digits.
    if (this.selecting === null) return;
    for (const { end: name } of this.handles) {
      const input = this.host.querySelector(`form.range input[name=${name}]`);
      if (input instanceof HTMLInputElement) input.value = seconds(range[name]);
    }
  }

  /**
   * Goes to the page of a range; of the whole recording where there is none.
   *
   * @param {{ from: number, to: number } | null} range
   */
  go(range) {
    const whole = { from: "", to: "", zoom: "", root: "" };
    location.assign(address(range === null ? whole : { from: seconds(range.from), to: seconds(range.to), root: "" }));
  }
}

/** The length of a range, its start and its end. @param {{ from: number, to: number }} range */
function inWords(range) {
  return `${moment(range.from)} to ${moment(range.to)}: ${duration((range.to - range.from) / 1e6)}`;
}

/** Starts the page's time line. */
export function startTimeline() {
  for (const host of document.querySelectorAll(".timebar")) {
    if (!(host instanceof HTMLElement)) continue;
    if (host.hasAttribute("data-timeline")) new Bar(host);
    else for (const block of host.querySelectorAll(".lanes")) new Lanes(/** @type {HTMLElement} */ (block), null);
  }
}

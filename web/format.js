/**
 * Values as text, exactly as the server writes them (`crates/explain/report/src/unit.rs` and
 * `crates/publish/views/src/words.rs`), and the elements around them. Texts enter a page only as text, so that
 * nothing of a recording becomes markup.
 */

/**
 * A number with a fixed count of decimals. Halves round to even, as in Rust; `toFixed` rounds them up, and writes large
 * numbers with an exponent.
 *
 * @param {number} value
 * @param {number} decimals
 * @returns {string}
 */
export function fixed(value, decimals) {
  if (Number.isNaN(value)) return "NaN";
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (size === Infinity) return `${sign}inf`;
  if (size >= 1e21) return `${sign}${BigInt(size)}${decimals > 0 ? `.${"0".repeat(decimals)}` : ""}`;
  const text = size.toFixed(decimals);
  // Only sums of halves, quarters … can be exactly in the middle between two decimal numbers.
  const isTie = Math.abs((size * 2 ** (decimals + 1)) % 2) === 1;
  const last = Number(text.at(-1));
  return sign + (isTie && last % 2 === 1 ? text.slice(0, -1) + String(last - 1) : text);
}

/** @param {string} digits */
function thousands(digits) {
  const sign = digits.startsWith("-") ? "-" : "";
  return sign + digits.slice(sign.length).replace(/\B(?=(?:...)+$)/g, ",");
}

/**
 * A number with three or more significant digits, and separators between thousands.
 *
 * @param {number} value
 * @returns {string}
 */
export function short(value) {
  const size = Math.abs(value);
  if (value > 0 && size < 0.005) return "<0.01";
  // Further digits would not be read.
  if (size >= 1e15 && size < Infinity) return value.toExponential(2).replace("e+", "e");
  if (size >= 100 || value % 1 === 0) return thousands(fixed(value, 0));
  return fixed(value, size >= 10 ? 1 : 2);
}

/**
 * A time given in milliseconds.
 *
 * @param {number} millis
 * @returns {string}
 */
export function duration(millis) {
  if (millis === 0) return "0 ms";
  if (millis < 1) return `${short(millis * 1000)} µs`;
  if (millis < 1000) return `${short(millis)} ms`;
  if (millis < 600_000) return `${short(millis / 1000)} s`;
  return `${short(millis / 60_000)} min`;
}

/** @param {number} count */
function bytes(count) {
  if (count < 1e3) return `${short(count)} B`;
  if (count < 1e6) return `${short(count / 1e3)} kB`;
  if (count < 1e9) return `${short(count / 1e6)} MB`;
  return `${short(count / 1e9)} GB`;
}

/**
 * A value in one of the units of figures: `ms`, `ns`, `B`, `B/s`, `1/s`, `share`, or a count.
 *
 * @param {number} value
 * @param {string} unit
 * @returns {string}
 */
export function show(value, unit) {
  switch (unit) {
    case "ms":
      return duration(value);
    case "ns":
      return Math.abs(value) < 1e3 ? `${short(value)} ns` : duration(value / 1e6);
    case "B":
      return bytes(value);
    case "B/s":
      return `${bytes(value)}/s`;
    case "1/s":
      return `${short(value)}/s`;
    case "share":
      return `${short(value * 100)} %`;
    case "":
      return short(value);
    default:
      return `${short(value)} ${unit}`;
  }
}

/**
 * A weight of a metric: of unit `ns`, `bytes`, or a count.
 *
 * @param {number} value
 * @param {string} unit
 * @returns {string}
 */
export function weight(value, unit) {
  if (unit === "ns") return duration(value / 1e6);
  return unit === "bytes" ? show(value, "B") : short(value);
}

/**
 * A share in percent; a dash if the whole is 0.
 *
 * @param {number} part
 * @param {number} whole
 * @returns {string}
 */
export function percent(part, whole) {
  const value = (part * 100) / whole;
  return whole > 0 ? `${Math.abs(value) < 1e15 ? fixed(value, 1) : short(value)} %` : "–";
}

/**
 * A time since the recording's start, given in nanoseconds.
 *
 * @param {number} ns
 * @returns {string}
 */
export function moment(ns) {
  const value = ns / 1e9;
  return `${Math.abs(value) < 1e15 ? fixed(value, 3) : short(value)} s`;
}

/**
 * A count with its noun.
 *
 * @param {number} count
 * @param {string} noun
 * @returns {string}
 */
export function counted(count, noun) {
  return `${short(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * A time as a parameter of an address: seconds with as many decimals as needed.
 *
 * @param {number} ns
 * @returns {string}
 */
export function seconds(ns) {
  return fixed(ns / 1e9, 9)
    .replace(/0+$/, "")
    .replace(/\.$/, "");
}

/**
 * An element with attributes and children. Texts stay texts; attributes that are `null` or `false` are left out.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | boolean | null>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/**
 * The page's own address with changed parameters; an empty value removes one.
 *
 * @param {Record<string, string>} changes
 * @param {string} [base]
 * @returns {string} path, parameters and fragment
 */
export function address(changes, base = location.href) {
  const url = new URL(base, location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  return url.pathname + url.search + url.hash;
}

/**
 * Keeps the page's other links and forms in step with the address.
 *
 * @param {string} name
 * @param {string} value
 */
export function carry(name, value) {
  for (const link of document.querySelectorAll("nav.shows a")) {
    link.setAttribute("href", address({ [name]: value }, link.getAttribute("href") ?? ""));
  }
  if (name === "root") return; // A form leads to another picture, in which this id means nothing.
  for (const form of document.querySelectorAll("main form, form.range")) {
    form.querySelector(`input[type=hidden][name=${name}]`)?.remove();
    if (value !== "") form.append(element("input", { type: "hidden", name, value }));
  }
}

/**
 * Whether a pressed key is meant as text for a field.
 *
 * @param {KeyboardEvent} event
 */
export function isTyping(event) {
  const at = event.target;
  return at instanceof HTMLElement && at.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
}

/** @returns {boolean} whether the page is one file, without a server behind it */
export function isFile() {
  return document.body.hasAttribute("data-file");
}

/**
 * Tables: sorting and filtering in place where all of their rows are on the page, and copying as CSV.
 *
 * A table that is only a part of its rows keeps the links and the form that the server made: that sorts and filters all
 * of them. What is sorted by stays in the address.
 */

import { address, counted, element, isFile } from "casebook/format";

/**
 * @typedef {object} Value what a cell holds
 * @property {string} text
 * @property {number | null} number
 */

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/**
 * The order of two values: numbers before texts, by size; what is missing last in any direction.
 *
 * @param {Value | null} a
 * @param {Value | null} b
 * @param {boolean} descending
 */
export function order(a, b, descending) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const way = descending ? -1 : 1;
  if (a.number !== null && b.number !== null) return way * (a.number - b.number);
  if (a.number !== null || b.number !== null) return way * (a.number === null ? 1 : -1);
  return way * collator.compare(a.text, b.text);
}

/** What a formula begins with; some have a wide form. */
const SIGN = /[=+\-@\uff1d\uff0b\uff0d\uff20]/;
/** What a cell ends at in a spreadsheet that separates by something else than commas. */
const SEPARATOR = /[;\t\r\n]/;
/** What does not keep a sign behind it from being the first of its cell: what is not seen, or is taken off on reading. */
const PASSED =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /[\0- "\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}]/u;

/**
 * A text with an apostrophe before each sign that would make it a formula, or a part of it that a spreadsheet may take for a
 * cell: as the program's own CSV has it (crate sql, `guarded`).
 *
 * @param {string} text
 * @returns {string}
 */
export function guarded(text) {
  if (!SIGN.test(text)) return text;
  let [written, begins] = ["", true];
  for (const c of text) {
    written += begins && SIGN.test(c) ? `'${c}` : c;
    begins = SEPARATOR.test(c) || (begins && PASSED.test(c));
  }
  return written;
}

/**
 * A field of CSV (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe; numbers stay numbers,
 * also those below zero.
 *
 * @param {Value | null} value
 * @returns {string}
 */
export function field(value) {
  if (value === null) return "";
  if (value.number !== null) return value.text;
  const text = guarded(value.text);
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Rows as CSV.
 *
 * @param {(Value | null)[][]} rows
 * @returns {string}
 */
export function csv(rows) {
  return rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

/**
 * What a cell holds: the number behind its words, and of a name all of it.
 *
 * @param {Element | undefined} cell
 * @returns {Value | null}
 */
function valueOf(cell) {
  if (cell === undefined || cell.classList.contains("none")) return null;
  const raw = cell.getAttribute("data-v");
  if (raw !== null) {
    const number = Number(raw);
    return { text: raw, number: raw.trim() === "" || Number.isNaN(number) ? null : number };
  }
  const full = cell.classList.contains("name")
    ? (cell.getAttribute("title") ?? cell.querySelector("[title]")?.getAttribute("title"))
    : null;
  return { text: full ?? cell.textContent ?? "", number: null };
}

/**
 * Puts a text on the clipboard.
 *
 * @param {string} text
 * @returns {Promise<boolean>} whether it is there
 */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not allowed, or not there: a page that is a file is not always a secure place.
    const area = element("textarea", { class: "quiet", readonly: true, "aria-hidden": "true" });
    area.value = text;
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return done;
  }
}

/** A table of the page. */
class Table {
  /** @param {HTMLTableElement} table */
  constructor(table) {
    this.table = table;
    this.id = table.dataset["table"] ?? "";
    this.isComplete = table.hasAttribute("data-complete");
    this.heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    this.rows = [...(table.tBodies[0]?.rows ?? [])];
    this.sort = "";
    if (this.isComplete) {
      this.startSorting();
      this.startFiltering();
    }
    this.startCopying();
  }

  startSorting() {
    for (const [at, head] of this.heads.entries()) {
      const link = head.querySelector("a");
      const control = link ?? element("button", { type: "button", class: "sort" }, ...head.childNodes);
      if (link === null) head.append(control);
      control.addEventListener("click", (event) => {
        const isElsewhere = event instanceof MouseEvent && (event.ctrlKey || event.metaKey || event.shiftKey);
        if (isElsewhere) return;
        event.preventDefault();
        this.sortBy(at);
      });
    }
    const wanted = new URLSearchParams(location.search).get(`${this.id}.sort`) ?? "";
    const at = this.heads.findIndex((head) => nameOf(head) === wanted.replace(/^-/, ""));
    if (wanted !== "" && at >= 0) this.sortRows(at, wanted.startsWith("-"));
  }

  /** Sorts by a column, by the same one again the other way round. @param {number} at */
  sortBy(at) {
    const head = this.heads[at];
    const sorted = head?.getAttribute("aria-sort");
    const descending = sorted ? sorted === "ascending" : (head?.classList.contains("num") ?? false);
    this.sortRows(at, descending);
    if (!isFile() && head) {
      history.replaceState(
        history.state,
        "",
        address({ [`${this.id}.sort`]: (descending ? "-" : "") + nameOf(head) }),
      );
    }
  }

  /** @param {number} at @param {boolean} descending */
  sortRows(at, descending) {
    const keyed = this.rows.map((row) => ({ row, value: valueOf(row.cells[at]) }));
    keyed.sort((a, b) => order(a.value, b.value, descending));
    this.rows = keyed.map(({ row }) => row);
    this.table.tBodies[0]?.append(...this.rows);
    for (const head of this.heads) head.removeAttribute("aria-sort");
    this.heads[at]?.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }

  startFiltering() {
    const input = document.querySelector(`form.find input[name="${CSS.escape(`${this.id}.find`)}"]`);
    if (!(input instanceof HTMLInputElement)) return;
    const said = element("span", { class: "hint", role: "status" });
    input.form?.append(said);
    const texts = new Map(this.rows.map((row) => [row, textOf(row)]));
    const filter = () => {
      const wanted = input.value.trim().toLowerCase();
      let seen = 0;
      for (const row of this.rows) {
        row.hidden = !texts.get(row)?.includes(wanted);
        if (!row.hidden) seen += 1;
      }
      said.textContent = wanted === "" ? "" : `${seen} of ${counted(this.rows.length, "row")}`;
    };
    input.addEventListener("input", filter);
    // All rows are here: the server would find the same.
    input.form?.addEventListener("submit", (event) => {
      event.preventDefault();
      filter();
    });
    if (input.value !== "") filter();
  }

  startCopying() {
    // Pages of one file have many tabs, and two of them may have tables of one name.
    const around = this.table.closest("section, details, main") ?? document;
    const button = around.querySelector(`button[data-copy="${CSS.escape(this.id)}"]`);
    if (!(button instanceof HTMLButtonElement)) return;
    const words = button.textContent ?? "";
    button.hidden = false;
    button.addEventListener("click", async () => {
      const rows = this.rows.filter((row) => !row.hidden);
      const head = this.heads.map((cell) => ({ text: nameOf(cell), number: null }));
      const isDone = await copied(csv([head, ...rows.map((row) => [...row.cells].map(valueOf))]));
      const part = this.isComplete ? "" : " of this page";
      button.textContent = isDone ? `${counted(rows.length, "row")}${part} copied` : "The browser did not allow it";
      setTimeout(() => {
        button.textContent = words;
      }, 2500);
    });
    button.setAttribute("aria-live", "polite");
  }
}

/** A column's name, as the query has it or as it stands there. @param {HTMLElement} head */
function nameOf(head) {
  return head.dataset["column"] ?? head.textContent?.trim() ?? "";
}

/** All that a filter looks into, also the names that are shown shorter. @param {HTMLTableRowElement} row */
function textOf(row) {
  const texts = [...row.cells].map((cell) => `${valueOf(cell)?.text ?? ""}\n${cell.textContent ?? ""}`);
  return texts.join("\n").toLowerCase();
}

/** Starts every table of the page. */
export function startTables() {
  for (const table of document.querySelectorAll("table[data-table]")) {
    if (table instanceof HTMLTableElement) new Table(table);
  }
}

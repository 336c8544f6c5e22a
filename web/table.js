/**
 * Tables: sorting and filtering in place if all rows are on the page, and copying as CSV.
 *
 * A table that shows only some of its rows keeps the links and the form from the server, which sort and filter all
 * rows. The sort order is part of the address.
 */

import { address, counted, element, isFile } from "casebook/format";

/**
 * @typedef {object} Value the content of a cell
 * @property {string} text
 * @property {number | null} number
 */

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/**
 * The order of two values: numbers by size, before texts. Missing values are last in both directions.
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

/** Signs that begin a formula; some have a wide form. */
const SIGN = /[=+\-@\uff1d\uff0b\uff0d\uff20]/;
/** Signs that end a cell in a spreadsheet with another separator than the comma. */
const SEPARATOR = /[;\t\r\n]/;
/** Characters that do not hide a sign behind them: invisible ones, and those that spreadsheets drop when they read a file. */
const PASSED =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /[\0- "\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}]/u;

/**
 * A text with an apostrophe before each sign that would make it, or a part that a spreadsheet may take for a cell, a
 * formula: the same as in the program's own CSV (crate sql, `guarded`).
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
 * A field of CSV (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe. Numbers, even
 * negative ones, stay numbers.
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
 * The content of a cell: the exact number, and the full name.
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
 * Copies a text to the clipboard.
 *
 * @param {string} text
 * @returns {Promise<boolean>} whether it worked
 */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not allowed or not available: browsers do not always treat a file as a secure page.
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

  /** Sorts by a column; again by the same column, in the other direction. @param {number} at */
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
    // All rows are here, so the server would find the same.
    input.form?.addEventListener("submit", (event) => {
      event.preventDefault();
      filter();
    });
    if (input.value !== "") filter();
  }

  startCopying() {
    // In a page of one file, two tabs may have tables with the same name.
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

/** The name of a column: from the query, or else as shown. @param {HTMLElement} head */
function nameOf(head) {
  return head.dataset["column"] ?? head.textContent?.trim() ?? "";
}

/** The text that a filter searches, including full names that are shown shortened. @param {HTMLTableRowElement} row */
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

/**
 * Completion of tables, columns, keywords and functions in the SQL field, and Ctrl+Enter to run the query.
 *
 * Completions are guessed from the words before the caret. A wrong guess offers less, and never gets in the way.
 */

import { element } from "casebook/format";

/** @typedef {import("./types.d.ts").Schema} Schema */
/** @typedef {import("./types.d.ts").Candidate} Candidate */

const KEYWORDS = (
  "select from where group by order having limit offset as distinct join left inner cross on using and or not in is " +
  "null like between case when then else end asc desc union all except intersect exists with over partition filter " +
  "values true false"
).split(" ");
const FUNCTIONS = (
  "count sum avg min max percentile abs round length lower upper substr instr replace trim ifnull coalesce nullif " +
  "iif printf group_concat total cast row_number rank dense_rank lag lead first_value last_value ntile"
).split(" ");
/** Words that are followed by the name of a table. */
const BEFORE_TABLES = new Set(["from", "join"]);
const MOST = 60;

/**
 * The words of a query: names, numbers and operators, without string literals and comments.
 *
 * @param {string} query
 * @returns {string[]}
 */
export function words(query) {
  const all =
    query.match(
      /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|[\p{L}_][\p{L}\p{N}_$]*|\d[\w.]*|\S/gu,
    ) ?? [];
  return all
    .filter((word) => !word.startsWith("--") && !word.startsWith("/*") && !word.startsWith("'"))
    .map((word) => word.replace(/^"(.*)"$/, "$1"));
}

/**
 * The tables of a query, by the names that it gives them.
 *
 * @param {string} query
 * @param {Schema} schema
 * @returns {Map<string, Schema["tables"][number]>}
 */
export function tablesIn(query, schema) {
  const known = new Map(schema.tables.map((table) => [table.name, table]));
  /** @type {Map<string, Schema["tables"][number]>} */
  const named = new Map();
  const all = words(query);
  for (let at = 0; at < all.length; at += 1) {
    const before = all[at - 1]?.toLowerCase() ?? "";
    const table = known.get(all[at]?.toLowerCase() ?? "");
    // The name behind a comma may be a column with the name of a table: then too much is offered, which does no harm.
    if (table === undefined || !(BEFORE_TABLES.has(before) || before === ",")) continue;
    named.set(table.name, table);
    const next = all[at + 1]?.toLowerCase() === "as" ? all[at + 2] : all[at + 1];
    if (next !== undefined && /^[\p{L}_]/u.test(next) && !KEYWORDS.includes(next.toLowerCase()))
      named.set(next.toLowerCase(), table);
  }
  return named;
}

/**
 * Whether the caret is in a string literal or a comment, where nothing is offered.
 *
 * @param {string} before
 */
function isInText(before) {
  const bare = before.replace(/--[^\n]*\n|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'/g, " ");
  return /--[^\n]*$|\/\*|'/.test(bare);
}

/**
 * The completions at the caret, the likeliest first, and the part of the word that is already typed.
 *
 * @param {string} query
 * @param {number} caret
 * @param {Schema} schema
 * @returns {{ typed: string, candidates: Candidate[] }}
 */
export function candidates(query, caret, schema) {
  const before = query.slice(0, caret);
  const typed = /[\p{L}_][\p{L}\p{N}_$]*$/u.exec(before)?.[0] ?? "";
  if (isInText(before)) return { typed, candidates: [] };
  const named = tablesIn(query, schema);
  const rest = before.slice(0, before.length - typed.length);
  const qualifier = /([\p{L}_][\p{L}\p{N}_$]*)\.$/u.exec(rest)?.[1]?.toLowerCase();
  /** @type {(table: Schema["tables"][number]) => Candidate[]} */
  const columns = (table) =>
    table.columns.map((column) => ({
      text: column.name,
      kind: "column",
      detail: `${table.name} · ${column.type}${column.unit ? `, ${column.unit}` : ""}`,
    }));
  /** @type {Candidate[]} */
  const tables = schema.tables.map((table) => ({ text: table.name, kind: "table", detail: table.about }));
  if (qualifier !== undefined) {
    const table = named.get(qualifier) ?? schema.tables.find((of) => of.name === qualifier);
    return { typed, candidates: table ? best(columns(table), typed) : [] };
  }
  if (isTablePlace(words(rest))) return { typed, candidates: best(tables, typed) };
  /** @type {Candidate[]} */
  const all = [...new Set(named.values())].flatMap(columns);
  all.push(...KEYWORDS.map((text) => /** @type {Candidate} */ ({ text, kind: "keyword", detail: "" })));
  all.push(
    ...FUNCTIONS.map((text) => /** @type {Candidate} */ ({ text: `${text}(`, kind: "function", detail: "function" })),
  );
  if (named.size === 0) all.push(...tables);
  return { typed, candidates: best(all, typed) };
}

/** Whether the name of a table comes next. @param {string[]} before */
function isTablePlace(before) {
  const last = before.at(-1)?.toLowerCase() ?? "";
  if (BEFORE_TABLES.has(last)) return true;
  if (last !== ",") return false;
  // In a list, it depends on the keyword before: `from` lists tables.
  const parts = before
    .map((word) => word.toLowerCase())
    .filter((word) => ["select", "from", "where", "group", "order", "having", "on", "("].includes(word));
  return parts.at(-1) === "from";
}

/**
 * The candidates that begin with the typed text, then those with a part that does.
 *
 * @param {Candidate[]} all
 * @param {string} typed
 */
function best(all, typed) {
  const wanted = typed.toLowerCase();
  const begins = all.filter(({ text }) => text.toLowerCase().startsWith(wanted));
  const within = all.filter(
    ({ text }) =>
      !text.toLowerCase().startsWith(wanted) && wanted.length > 1 && text.toLowerCase().includes(`_${wanted}`),
  );
  const found = [...begins, ...within].slice(0, MOST);
  return found.length === 1 && found[0]?.text.toLowerCase() === wanted ? [] : found;
}

/** The SQL field with its list of completions. */
class Field {
  /**
   * @param {HTMLTextAreaElement} area
   * @param {Schema} schema
   */
  constructor(area, schema) {
    this.area = area;
    this.schema = schema;
    this.list = element("ul", {
      class: "completion",
      role: "listbox",
      id: "completion",
      "aria-label": "Completions",
      hidden: true,
    });
    /** @type {Candidate[]} */
    this.offered = [];
    this.at = 0;
    this.typed = "";
    area.setAttribute("aria-autocomplete", "list");
    area.setAttribute("aria-haspopup", "listbox");
    area.setAttribute("aria-controls", "completion");
    const host = element("div", { class: "sql-field" });
    area.replaceWith(host);
    host.append(area, this.list);
    area.addEventListener("input", () => this.offer(false));
    area.addEventListener("keydown", (event) => this.key(event));
    area.addEventListener("blur", () => this.close());
    area.addEventListener("click", () => this.close());
    this.list.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const item = event.target instanceof Element ? event.target.closest("li") : null;
      if (item) this.accept(this.offered[[...this.list.children].indexOf(item)]);
    });
  }

  get isOpen() {
    return !this.list.hidden;
  }

  /** @param {boolean} isAsked whether to offer even if nothing is typed yet */
  offer(isAsked) {
    const { area } = this;
    if (area.selectionStart !== area.selectionEnd) return this.close();
    const { typed, candidates: found } = candidates(area.value, area.selectionStart, this.schema);
    const isAfterDot = area.value[area.selectionStart - 1] === ".";
    if (found.length === 0 || (typed === "" && !isAsked && !isAfterDot)) return this.close();
    this.offered = found;
    this.typed = typed;
    this.list.replaceChildren(
      ...found.map(({ text, kind, detail }, at) =>
        element(
          "li",
          { role: "option", id: `completion-${at}`, class: kind },
          element("span", {}, text),
          element("span", { class: "hint" }, detail || kind),
        ),
      ),
    );
    this.list.hidden = false;
    this.list.scrollTop = 0;
    this.place();
    this.choose(0);
  }

  /** Puts the list below the line of the caret. */
  place() {
    const { area, list } = this;
    const style = getComputedStyle(area);
    const mirror = element(
      "div",
      { "aria-hidden": "true" },
      area.value.slice(0, area.selectionStart - this.typed.length),
    );
    for (const name of [
      "font",
      "padding",
      "border",
      "width",
      "boxSizing",
      "lineHeight",
      "letterSpacing",
      "tabSize",
    ]) {
      mirror.style.setProperty(
        name.replace(/[A-Z]/g, (sign) => `-${sign.toLowerCase()}`),
        style[/** @type {any} */ (name)] ?? "",
      );
    }
    mirror.style.position = "absolute";
    mirror.style.visibility = "hidden";
    mirror.style.whiteSpace = "pre-wrap";
    mirror.style.overflowWrap = "break-word";
    const caret = element("span", {}, "\u200b");
    mirror.append(caret);
    area.after(mirror);
    const [left, top, height] = [caret.offsetLeft, caret.offsetTop - area.scrollTop, caret.offsetHeight];
    mirror.remove();
    const most = Math.max(0, area.clientWidth - list.offsetWidth);
    list.style.left = `${Math.min(left, most)}px`;
    list.style.top = `${Math.min(top + height, area.clientHeight) + 4}px`;
  }

  /** @param {number} at */
  choose(at) {
    const count = this.offered.length;
    this.at = (at + count) % count;
    for (const [of, item] of [...this.list.children].entries())
      item.setAttribute("aria-selected", String(of === this.at));
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
    this.area.setAttribute("aria-activedescendant", `completion-${this.at}`);
  }

  close() {
    this.list.hidden = true;
    this.area.removeAttribute("aria-activedescendant");
  }

  /** @param {Candidate | undefined} candidate */
  accept(candidate) {
    if (candidate === undefined) return;
    const { area } = this;
    const end = area.selectionStart;
    area.focus();
    area.setSelectionRange(end - this.typed.length, end);
    // Inserted this way, the browser can undo it. Browsers without the command just get the text.
    if (!document.execCommand("insertText", false, candidate.text))
      area.setRangeText(candidate.text, end - this.typed.length, end, "end");
    this.close();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      this.area.form?.requestSubmit();
    } else if (event.key === " " && event.ctrlKey) {
      this.offer(true);
    } else if (!this.isOpen || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    } else if (event.key === "ArrowDown") this.choose(this.at + 1);
    else if (event.key === "ArrowUp") this.choose(this.at - 1);
    else if ((event.key === "Tab" || event.key === "Enter") && !event.shiftKey) this.accept(this.offered[this.at]);
    else if (event.key === "Escape") this.close();
    else {
      if (/^(Arrow(Left|Right)|Home|End|Page)/.test(event.key)) this.close();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Starts the SQL field, if the page has one. */
export function startSql() {
  const area = document.querySelector("textarea[data-sql]");
  const schema = document.getElementById("schema")?.textContent;
  if (area instanceof HTMLTextAreaElement && schema) new Field(area, JSON.parse(schema));
}

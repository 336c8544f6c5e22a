/**
 * Starts everything that pages do with script: colours, the sections of a page of one file, help, and the module of
 * each part.
 *
 * If a part breaks, the others still work, and the page stays as the server made it.
 */

import { startExhibits } from "casebook/exhibit";
import { startFlames } from "casebook/flame";
import { element, isFile, isTyping } from "casebook/format";
import { startSql } from "casebook/sql";
import { startTables } from "casebook/table";
import { startTimeline } from "casebook/timeline";

const THEME = "casebook-theme";

/** @type {[string, string][]} */
const KEYS = [
  ["?", "this list"],
  ["/ or Ctrl+F", "search the frames of a flame graph"],
  ["n, N", "the next and the previous match"],
  ["↑ ↓ ← →", "move between frames"],
  ["Enter", "zoom in"],
  ["Backspace", "zoom out by one frame"],
  ["Esc", "zoom out to the whole"],
  ["c or right click", "what can be asked of a frame: its callers, only it, without it, folded"],
  ["Drag over the time line", "show a range of time; a double click shows all of it"],
  ["← → on a handle of the time line", "move the range, faster with Shift; Enter shows it, Esc leaves it"],
  ["Ctrl+Enter", "run the query"],
  ["Ctrl+Space", "complete a table, column or keyword"],
];

/** What the reader chose before, if the browser keeps it. */
function keptTheme() {
  try {
    return localStorage.getItem(THEME);
  } catch {
    return null;
  }
}

function startTheme() {
  const kept = keptTheme();
  const root = document.documentElement;
  if (kept === "light" || kept === "dark") root.dataset["theme"] = kept;
  const button = document.querySelector("[data-theme-toggle]");
  if (!(button instanceof HTMLButtonElement)) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const now = root.dataset["theme"] ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    root.dataset["theme"] = next;
    try {
      localStorage.setItem(THEME, next);
    } catch {
      // The browser keeps nothing, so the choice holds for this page only.
    }
    document.dispatchEvent(new CustomEvent("casebook:theme"));
  });
}

/** In a page of one file: one section at a time, by the fragment of the address. */
function startSections() {
  if (!isFile()) return;
  const sections = [...document.querySelectorAll("section.view")];
  const show = () => {
    const at = document.getElementById(location.hash.slice(1));
    const wanted = at?.closest("section.view") ?? sections[0];
    for (const section of sections) /** @type {HTMLElement} */ (section).hidden = section !== wanted;
    for (const link of document.querySelectorAll("nav.tabs a")) {
      const isCurrent = link.getAttribute("href") === `#${wanted?.id}`;
      if (isCurrent) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (at && at !== wanted) at.scrollIntoView();
    else scrollTo(0, 0);
  };
  addEventListener("hashchange", show);
  show();
}

/** Opens what is folded while the page is printed: paper has nothing to click. */
function startPrint() {
  /** @type {HTMLDetailsElement[]} */
  let opened = [];
  addEventListener("beforeprint", () => {
    const folded = document.querySelectorAll(".card details:not([open]), header details:not([open]), .missing:not([open])");
    opened = [...folded].filter((of) => of instanceof HTMLDetailsElement);
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
    opened = [];
  });
}

/** Opens the target of a link within the page, and keeps the current tab visible if the tabs do not fit. */
function startPlace() {
  const open = () => {
    const at = document.getElementById(location.hash.slice(1))?.closest("details, article");
    const details = at instanceof HTMLDetailsElement ? at : at?.querySelector(":scope > details");
    if (!(details instanceof HTMLDetailsElement) || details.open) return;
    details.open = true;
    at?.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
  const tab = document.querySelector("nav.tabs [aria-current]");
  const tabs = tab?.parentElement;
  if (tab instanceof HTMLElement && tabs) tabs.scrollLeft = tab.offsetLeft - tabs.clientWidth / 2;
}

function startHelp() {
  const list = element(
    "dl",
    { class: "keys" },
    ...KEYS.flatMap(([keys, what]) => [element("dt", {}, keys), element("dd", {}, what)]),
  );
  const close = element("button", { type: "submit" }, "Close");
  const help = element(
    "dialog",
    { class: "help", "aria-labelledby": "help-title" },
    element("h2", { id: "help-title" }, "Keys"),
    list,
    element("form", { method: "dialog" }, close),
  );
  document.body.append(help);
  const button = element("button", { type: "button", title: "Keys (?)", "aria-label": "Keys" }, "?");
  button.addEventListener("click", () => help.showModal());
  document.querySelector("[data-theme-toggle]")?.before(button);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "?" || isTyping(event) || help.open || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    help.showModal();
  });
}

for (const start of [
  startTheme,
  startSections,
  startPlace,
  startPrint,
  startTables,
  startExhibits,
  startFlames,
  startTimeline,
  startSql,
  startHelp,
]) {
  try {
    start();
  } catch (error) {
    console.error(error);
  }
}
document.documentElement.dataset["started"] = "";

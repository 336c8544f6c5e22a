/**
 * The menu of a frame: its actions, as links that change the address.
 */

import { address, element } from "casebook/format";
import { copied } from "casebook/table";

/** @typedef {import("./types.d.ts").Spot} Spot */

/**
 * A pattern for the server that matches only this text.
 *
 * @param {string} text
 */
export function escaped(text) {
  return text.replace(/[\\.+*?()|[\]{}^$#&\-~]/g, "\\$&");
}

/**
 * Moves a box near a point, so that it is visible.
 *
 * @param {HTMLElement} box
 * @param {number} x
 * @param {number} y
 */
export function place(box, x, y) {
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.max(4, Math.min(x, innerWidth - width - 12))}px`;
  box.style.top = `${y + height > innerHeight - 4 ? Math.max(4, y - height - 34) : y}px`;
}

/**
 * The actions of a frame. Each is a link, so that it opens in another tab too.
 *
 * @param {import("./flame.js").Flame} flame
 * @param {Spot} spot
 */
export function openMenu(flame, spot) {
  const { graph } = flame;
  const [name, id] = [graph.name(spot.node), graph.id(spot.node)];
  const methods = graph.methods(spot.node).map(escaped);
  const exactly = methods.length === 1 ? `^${methods[0]}$` : `^(?:${methods.join("|")})$`;
  const params = new URLSearchParams(location.search);
  const also = (/** @type {string} */ of) => {
    const before = params.get(of) ?? "";
    // A pattern without capitals ignores case. It must still do so next to a name with capitals.
    return before === "" ? exactly : `(?${/\p{Lu}/u.test(before) ? "" : "i"}:${before})|${exactly}`;
  };
  // Patterns match methods, so groups and the root have no such action.
  const isMethod = !params.has("group") && name.includes("!");
  const link = (/** @type {string} */ text, /** @type {Record<string, string>} */ changes) =>
    element("a", { role: "menuitem", tabindex: "-1", href: address({ root: "", ...changes }) }, text);
  const act = (/** @type {string} */ text, /** @type {() => void} */ what) => {
    const item = element("button", { type: "button", role: "menuitem", tabindex: "-1" }, text);
    item.addEventListener("click", () => {
      close();
      what();
    });
    return item;
  };
  /** @type {HTMLElement[]} */
  const items = [
    act("Zoom in", () => flame.zoom(id)),
    act("Copy the name", async () =>
      flame.say((await copied(name)) ? "The name is copied." : "The name could not be copied."),
    ),
  ];
  if (flame.url !== null && isMethod) {
    const links = [
      link("Callers and callees of this method", { show: "callers", method: name }),
      link("Only stacks with it", { include: exactly }),
      link("Without the stacks that have it", { exclude: also("exclude") }),
      link("Fold it into its callers", { fold: also("fold") }),
    ];
    items.splice(1, 0, ...links);
  }
  const menu = element("div", { class: "menu", role: "menu", "aria-label": graph.shown(spot.node) }, ...items);
  const close = () => {
    menu.remove();
    document.removeEventListener("pointerdown", outside, true);
    flame.scroll.focus({ preventScroll: true });
  };
  const outside = (/** @type {Event} */ event) => {
    if (!menu.contains(/** @type {Node} */ (event.target))) close();
  };
  document.addEventListener("pointerdown", outside, true);
  menu.addEventListener("keydown", (event) => {
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) items.at((at + by) % items.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  flame.showTip(null);
  flame.host.append(menu);
  place(menu, spot.x, spot.y);
  items[0]?.focus();
}

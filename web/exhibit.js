/**
 * What a reader takes away from a finding's card: its text as Markdown, its picture, its address.
 *
 * The picture is a drawing (SVG) of the card as it stands on the page, made of texts, boxes and the card's own pictures, so that
 * programs other than browsers can show it. It asks the network for nothing.
 */

import { element } from "casebook/format";
import { copied } from "casebook/table";

const SVG = "http://www.w3.org/2000/svg";
/** How many pixels of a copied picture are one pixel of the page. */
const SCALE = 2;
/** Room around the card, in pixels. */
const MARGIN = 12;
/** What the picture leaves out: what can only be clicked. */
const LEFT_OUT = "button, template, script, .links, .copies, details:not([open])";
/** What of a style a drawing needs, since it has no style sheet. */
const DRAWN = [
  "fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "visibility",
  "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline", "shape-rendering", "vector-effect",
];

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 */
function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/**
 * A part of one of the card's pictures with its style written into it. Links become groups.
 *
 * @param {Element} part
 * @returns {Element}
 */
function withStyle(part) {
  const copy = drawn(part.localName === "a" ? "g" : part.localName, {});
  for (const { name, value } of part.attributes) {
    if (!["class", "style", "href", "tabindex", "target"].includes(name) && !name.startsWith("data-")) {
      copy.setAttribute(name, value);
    }
  }
  const style = getComputedStyle(part);
  for (const name of DRAWN) {
    const value = style.getPropertyValue(name);
    if (value !== "") copy.setAttribute(name, value);
  }
  for (const child of part.childNodes) {
    if (child instanceof Element) copy.append(withStyle(child));
    else if (child instanceof Text) copy.append(child.data);
  }
  return copy;
}

/**
 * The lines of a text as the page breaks them.
 *
 * @param {Text} text
 */
function lines(text) {
  /** @type {{ text: string, left: number, right: number, top: number, height: number }[]} */
  const found = [];
  const range = document.createRange();
  for (const word of text.data.matchAll(/\S+/g)) {
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    // A long word may be broken: then it is drawn letter by letter, and the letters of a line are joined again.
    const isBroken = range.getClientRects().length > 1;
    let at = word.index;
    for (const part of isBroken ? word[0] : [word[0]]) {
      range.setStart(text, at);
      range.setEnd(text, at + part.length);
      const isFirst = at === word.index;
      at += part.length;
      const place = range.getClientRects()[0];
      if (!place || place.width === 0) continue;
      const last = found.at(-1);
      if (last && Math.abs(last.top - place.top) < place.height / 2) {
        last.text += (isFirst ? " " : "") + part;
        last.right = place.right;
      } else {
        found.push({ text: part, left: place.left, right: place.right, top: place.top, height: place.height });
      }
    }
  }
  return found;
}

/**
 * The drawing of a card as it stands on the page.
 *
 * @param {HTMLElement} card
 */
export function drawing(card) {
  const whole = card.getBoundingClientRect();
  const [width, height] = [Math.ceil(whole.width) + 2 * MARGIN, Math.ceil(whole.height) + 2 * MARGIN];
  const paper = getComputedStyle(document.body).backgroundColor;
  const root = drawn("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}` });
  root.append(drawn("rect", { width, height, fill: paper }));
  const at = (/** @type {DOMRect} */ place) => ({ x: place.left - whole.left + MARGIN, y: place.top - whole.top + MARGIN });
  let bottom = 0;
  const visit = (/** @type {Node} */ node, /** @type {Element} */ into) => {
    if (node instanceof Text) {
      const style = node.parentElement && getComputedStyle(node.parentElement);
      if (!style) return;
      for (const line of lines(node)) {
        const [x, y] = [line.left - whole.left + MARGIN, line.top - whole.top + MARGIN + line.height * 0.79];
        const font = { "font-family": style.fontFamily, "font-size": style.fontSize, "font-weight": style.fontWeight };
        into.append(drawn("text", { x, y, fill: style.color, textLength: line.right - line.left, ...font }, line.text));
        if (into === root) bottom = Math.max(bottom, line.top + line.height);
      }
      return;
    }
    if (!(node instanceof Element) || node.matches(LEFT_OUT)) return;
    const place = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    // A text for screen readers is a pixel large.
    if (place.width <= 1 || style.visibility === "hidden") return;
    const { x, y } = at(place);
    const size = { x, y, width: place.width, height: place.height };
    if (node instanceof SVGSVGElement) {
      const copy = withStyle(node);
      for (const [name, value] of Object.entries(size)) copy.setAttribute(name, String(value));
      if (!copy.hasAttribute("viewBox")) copy.setAttribute("viewBox", `0 0 ${place.width} ${place.height}`);
      into.append(copy);
      if (into === root) bottom = Math.max(bottom, place.bottom);
      return;
    }
    const line = parseFloat(style.borderBottomWidth) > 0 && style.borderBottomStyle !== "none";
    if (node === card) {
      root.append(drawn("rect", { ...size, fill: style.backgroundColor, stroke: style.borderBottomColor, rx: 8 }));
      root.append(drawn("rect", { x, y, width: place.width, height: 4, fill: style.borderTopColor }));
    } else if (style.backgroundColor !== "rgba(0, 0, 0, 0)" || line) {
      const rx = Math.min(parseFloat(style.borderRadius) || 0, place.height / 2);
      const edge = line ? { stroke: style.borderBottomColor } : {};
      into.append(drawn("rect", { ...size, rx, fill: style.backgroundColor, ...edge }));
    }
    const sign = getComputedStyle(node, "::before").content;
    if (/^".+"$/.test(sign)) {
      // The sign of a severity stands before its word.
      const mark = { x: x + 7, y: y + place.height * 0.74, fill: style.color, "font-size": style.fontSize };
      into.append(drawn("text", mark, sign.slice(1, -1)));
    }
    if (node !== card && style.overflowX !== "visible") {
      // What is cut off on the page is cut off in the picture.
      const window = drawn("svg", { ...size, viewBox: `${x} ${y} ${place.width} ${place.height}` });
      into.append(window);
      for (const child of node.childNodes) visit(child, window);
      bottom = Math.max(bottom, place.bottom);
      return;
    }
    for (const child of node.childNodes) visit(child, into);
  };
  visit(card, root);
  // What was left out stood at the end.
  const used = Math.min(height, Math.ceil(bottom - whole.top) + 2 * MARGIN + 8);
  root.setAttribute("height", String(used));
  root.setAttribute("viewBox", `0 0 ${width} ${used}`);
  root.children[1]?.setAttribute("height", String(used - 2 * MARGIN));
  return { text: new XMLSerializer().serializeToString(root), width, height: used };
}

/**
 * A drawing in pixels.
 *
 * @param {{ text: string, width: number, height: number }} of
 * @returns {Promise<Blob>}
 */
async function pixels({ text, width, height }) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = element("canvas");
  [canvas.width, canvas.height] = [width * SCALE, height * SCALE];
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png");
  });
}

/**
 * Gives the reader a file.
 *
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @param {HTMLElement} card */
async function copyPicture(card) {
  const picture = pixels(drawing(card));
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
    return "Image copied";
  } catch {
    // Not allowed, or not a page that the browser trusts with the clipboard.
    save(await picture, `${card.id}.png`);
    return "Image saved";
  }
}

/** @param {HTMLElement} card */
async function saveDrawing(card) {
  save(new Blob([drawing(card).text], { type: "image/svg+xml" }), `${card.id}.svg`);
  return "SVG saved";
}

/** @param {HTMLElement} card */
async function copyText(card) {
  const text = card.querySelector("template[data-markdown]");
  const isDone = text instanceof HTMLTemplateElement && (await copied(text.content.textContent ?? ""));
  return isDone ? "Markdown copied" : "The browser did not allow it";
}

/** @param {HTMLElement} card */
async function copyLink(card) {
  const url = new URL(location.href);
  url.hash = card.id;
  return (await copied(url.href)) ? "Link copied" : "The browser did not allow it";
}

/** Gives each card of a finding its buttons. */
export function startExhibits() {
  for (const card of document.querySelectorAll("article.card")) {
    const text = card.querySelector("template[data-markdown]");
    if (!(card instanceof HTMLElement) || !text) continue;
    const bar = element("div", { class: "copies", role: "group", "aria-label": "Take it away" });
    for (const [words, act] of /** @type {[string, (card: HTMLElement) => Promise<string>][]} */ ([
      ["Copy as Markdown", copyText],
      ["Copy image", copyPicture],
      ["Save as SVG", saveDrawing],
      ["Copy link", copyLink],
    ])) {
      const button = element("button", { type: "button", class: "copy", "aria-live": "polite" }, words);
      button.addEventListener("click", async () => {
        try {
          button.textContent = await act(card);
        } catch (error) {
          console.error(error);
          button.textContent = "This did not work";
        }
        setTimeout(() => {
          button.textContent = words;
        }, 2500);
      });
      bar.append(button);
    }
    text.before(bar);
  }
}

/**
 * The frames of a flame graph on a canvas: those that are visible and wide enough, in the colours of the style.
 */

import { STEPS, step } from "casebook/graph";

/** @typedef {import("casebook/graph").Graph} Graph */
/** @typedef {import("./types.d.ts").Camera} Camera */
/** @typedef {import("./types.d.ts").Scene} Scene */

/** The height of a row in pixels: the same as in the SVG of the page. */
export const ROW = 18;
/** How many widths of texts are kept. */
const WIDTHS = 20_000;

/** Draws scenes on a canvas. */
export class Painter {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} host whose style has the colours
   */
  constructor(canvas, host) {
    this.canvas = canvas;
    this.host = host;
    /** @type {Map<string, number>} */
    this.widths = new Map();
  }

  /**
   * @param {Scene} scene
   * @param {number} width pixels of the page
   * @param {number} height
   */
  draw(scene, width, height) {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    const [pixels, lines] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== pixels || canvas.height !== lines) {
      canvas.width = pixels;
      canvas.height = lines;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const paper = canvas.getContext("2d");
    if (paper === null) return;
    paper.setTransform(ratio, 0, 0, ratio, 0, 0);
    paper.clearRect(0, 0, width, height);
    paper.textBaseline = "middle";
    this.rows(paper, scene, width, height);
  }

  /**
   * @param {CanvasRenderingContext2D} paper
   * @param {Scene} scene
   * @param {number} width
   * @param {number} height
   */
  rows(paper, scene, width, height) {
    const { graph, camera, scrolled } = scene;
    const colours = coloursOf(this.host, graph);
    const scale = width / (camera.to - camera.from || 1);
    const first = Math.max(0, Math.floor(camera.depth + scrolled / ROW));
    const last = first + Math.ceil(height / ROW) + 1;
    for (let depth = first; depth <= last && depth < graph.rows.length; depth += 1) {
      const row = graph.rows[depth] ?? [];
      const y = (depth - camera.depth) * ROW - scrolled;
      for (let at = Math.max(0, graph.firstAfter(row, camera.from) - 1); at < row.length; at += 1) {
        const node = row[at] ?? 0;
        const left = (graph.start(node) - camera.from) * scale;
        const right = left + graph.span(node) * scale;
        if (left > width) break;
        const [x, w] = [Math.max(0, left), Math.min(width, right) - Math.max(0, left)];
        const isSeen = w >= 0.4 || (node === scene.focused && w >= 0);
        if (isSeen) this.frame(paper, scene, node, { x, y, w: Math.max(w, 0.5) }, colours);
      }
    }
  }

  /**
   * @param {CanvasRenderingContext2D} paper
   * @param {Scene} scene
   * @param {number} node
   * @param {{ x: number, y: number, w: number }} box
   * @param {Colours} colours
   */
  frame(paper, scene, node, { x, y, w }, colours) {
    const { graph, focused, hovered, marked } = scene;
    const isPale = marked !== null && !marked.has(node);
    const kind = graph.kind(node);
    const { back, front } = look(graph, node, colours);
    paper.globalAlpha = isPale ? 0.3 : 1;
    paper.fillStyle = back;
    paper.fillRect(x, y, w > 3 ? w - 1 : w, ROW - 1);
    paper.globalAlpha = 1;
    if (node === focused || node === hovered) {
      paper.strokeStyle = colours.text;
      paper.lineWidth = node === focused ? 3 : 1.5;
      paper.strokeRect(x + 1, y + 1, Math.max(w - 3, 1), ROW - 3);
    }
    if (w < 24) return;
    paper.font = `${graph.data.kinds[kind]?.of === "your code" ? "600 " : ""}12px ${colours.font}`;
    paper.fillStyle = isPale ? colours.text : front;
    const text = this.cut(paper, graph.shown(node), w - 8);
    if (text) paper.fillText(text, x + 4, y + ROW / 2);
  }

  /**
   * A text, or as much of it as has room.
   *
   * @param {CanvasRenderingContext2D} paper
   * @param {string} text
   * @param {number} room
   */
  cut(paper, text, room) {
    const key = paper.font + text;
    let width = this.widths.get(key);
    if (width === undefined) {
      if (this.widths.size > WIDTHS) this.widths.clear();
      width = paper.measureText(text).width;
      this.widths.set(key, width);
    }
    if (width <= room) return text;
    // Letters have different widths, so the estimate may be a few letters too long.
    for (let letters = Math.floor((text.length * room) / width); letters > 1; letters -= 1) {
      const part = `${text.slice(0, letters)}…`;
      if (paper.measureText(part).width <= room) return part;
    }
    return "";
  }
}

/**
 * The colours of a frame and of its name: by the frame's module; in a comparison, by the change of its share.
 *
 * @param {Graph} graph
 * @param {number} node
 * @param {Colours} colours
 */
function look(graph, node, colours) {
  const { nodes, total_against: other } = graph.data;
  if (!nodes.against || other === null) return colours.kinds[graph.kind(node)] ?? colours.unknown;
  const at = step(graph.weight(node), nodes.against[node] ?? 0);
  return { back: colours.steps[STEPS + at] ?? colours.text, front: colours.diffText };
}

/** @typedef {ReturnType<typeof coloursOf>} Colours */

/** The current colours of the style. @param {HTMLElement} host @param {Graph} graph */
function coloursOf(host, graph) {
  const style = getComputedStyle(host);
  const of = (/** @type {string} */ name) => style.getPropertyValue(name).trim() || "gray";
  const steps = Array.from({ length: 2 * STEPS + 1 }, (_, at) => {
    const part = (Math.abs(at - STEPS) / STEPS) * 100;
    return `color-mix(in oklab, ${of(at < STEPS ? "--diff-less" : "--diff-more")} ${part}%, ${of("--diff-same")})`;
  });
  /** @type {Map<string, { back: string, front: string }>} there are a dozen tones, and a kind for each module */
  const tones = new Map();
  const tone = (/** @type {string} */ name) => {
    const known = tones.get(name) ?? { back: of(`--frame-${name}`), front: of(`--frame-${name}-text`) };
    tones.set(name, known);
    return known;
  };
  const kinds = graph.data.kinds.map((kind) => tone(kind.tone));
  return {
    ...{ kinds, steps, unknown: tone("unknown") },
    ...{ text: of("--text"), diffText: of("--diff-text"), font: style.fontFamily },
  };
}

/**
 * The nodes of a flame graph: how they are connected, where each is, and which match a pattern.
 *
 * This module draws nothing and does not know the page.
 */

/** @typedef {import("./types.d.ts").FlameData} FlameData */
/** @typedef {import("./types.d.ts").Kind} Kind */

/** A search stops after so many milliseconds. */
const PATIENCE_MS = 400;
/** The most kinds of frames that a legend lists. */
const LISTED = 6;
/** Steps of the scale of differences, on each side. */
export const STEPS = 5;

/** The nodes of a picture and their connections. */
export class Graph {
  /** @param {FlameData} data */
  constructor(data) {
    const { depth, id } = data.nodes;
    const count = id.length;
    this.data = data;
    this.parent = new Int32Array(count).fill(-1);
    /** The end of the subtree of each node: it has all nodes from the node up to there. */
    this.end = new Int32Array(count).fill(count);
    /** @type {number[][]} the nodes of each depth, from left to right */
    this.rows = [];
    /** @type {Map<string, number>} */
    this.byId = new Map();
    /** @type {number[]} */
    const open = [];
    for (let node = 0; node < count; node += 1) {
      const level = depth[node] ?? 0;
      while (open.length > level) this.end[/** @type {number} */ (open.pop())] = node;
      this.parent[node] = open.at(-1) ?? -1;
      open.push(node);
      (this.rows[level] ??= []).push(node);
      const name = id[node] ?? "";
      if (!this.byId.has(name)) this.byId.set(name, node);
    }
  }

  /** @param {number} node */
  depth(node) {
    return this.data.nodes.depth[node] ?? 0;
  }
  /** @param {number} node */
  start(node) {
    return this.data.nodes.start[node] ?? 0;
  }
  /** @param {number} node */
  span(node) {
    return this.data.nodes.span[node] ?? 0;
  }
  /** @param {number} node */
  weight(node) {
    return this.data.nodes.weight[node] ?? 0;
  }
  /** @param {number} node */
  name(node) {
    return this.data.names[this.data.nodes.name[node] ?? -1] ?? "";
  }
  /** The methods that a node stands for: one, or the parts of a handler. @param {number} node */
  methods(node) {
    return [this.name(node), ...(this.data.also[this.data.nodes.name[node] ?? -1] ?? [])];
  }
  /** @param {number} node */
  shown(node) {
    return this.data.shown_names[this.data.nodes.name[node] ?? -1] ?? "";
  }
  /** @param {number} node */
  id(node) {
    return this.data.nodes.id[node] ?? "";
  }

  /** The place of a node's kind in `kinds`. @param {number} node */
  kind(node) {
    return this.data.kind[this.data.nodes.name[node] ?? -1] ?? -1;
  }

  /**
   * From the outermost node to this one, also over those that are not in the picture.
   *
   * @param {number} node
   * @returns {{ id: string, name: string }[]}
   */
  path(node) {
    /** @type {{ id: string, name: string }[]} */
    const below = [];
    for (let at = node; at > 0; at = this.parent[at] ?? -1) below.push({ id: this.id(at), name: this.name(at) });
    return [...this.data.path, ...below.reverse()];
  }

  /** How many rows the subtree of a node has. @param {number} node */
  height(node) {
    let deepest = 0;
    for (let at = node; at < (this.end[node] ?? 0); at += 1) deepest = Math.max(deepest, this.depth(at));
    return deepest - this.depth(node) + 1;
  }

  /**
   * The node of a row at a place, if there is one.
   *
   * @param {number} depth
   * @param {number} at in units of `span`
   */
  find(depth, at) {
    const row = this.rows[depth] ?? [];
    const node = row[this.firstAfter(row, at) - 1];
    return node !== undefined && at < this.start(node) + this.span(node) ? node : null;
  }

  /**
   * The first of a row's nodes that begins after a place.
   *
   * @param {number[]} row
   * @param {number} at
   */
  firstAfter(row, at) {
    let [low, high] = [0, row.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.start(row[middle] ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * A typed pattern: a regular expression, or a part of a name as it stands, although `(`, `+` and `[` mean something else in an
 * expression. Case matters only if it contains capitals.
 *
 * @param {string} text
 * @returns {RegExp}
 */
export function pattern(text) {
  const flags = /[A-Z]/.test(text.replace(/\\./g, "")) ? "" : "i";
  const literal = text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  try {
    return new RegExp(`${literal}|(?:${new RegExp(text, flags).source})`, flags);
  } catch {
    return new RegExp(literal, flags);
  }
}

/**
 * The nodes below a node with a matching name, and their total weight. Of matching frames inside each other only the
 * outer one counts.
 *
 * @param {Graph} graph
 * @param {number} top
 * @param {RegExp} wanted
 * @param {() => number} [clock] milliseconds
 * @returns {{ nodes: number[], weight: number, isWhole: boolean }} not whole if the search took too long
 */
export function search(graph, top, wanted, clock = () => 0) {
  const { data } = graph;
  /** @type {Set<number>} */
  const names = new Set();
  const until = clock() + PATIENCE_MS;
  let isWhole = true;
  for (const [at, name] of data.names.entries()) {
    // A handler is found by its route and by the name of any of its parts.
    const also = data.also[at];
    const texts = also === undefined ? [name] : [name, data.shown_names[at] ?? "", ...also];
    if (texts.some((text) => wanted.test(text))) names.add(at);
    if (clock() > until) {
      isWhole = false;
      break;
    }
  }
  /** @type {number[]} */
  const nodes = [];
  let [sum, counted] = [0, top];
  for (let node = top; node < (graph.end[top] ?? 0); node += 1) {
    if (!names.has(data.nodes.name[node] ?? -1)) continue;
    nodes.push(node);
    if (node >= counted) {
      sum += graph.weight(node);
      counted = graph.end[node] ?? node;
    }
  }
  return { nodes, weight: sum, isWhole };
}

/**
 * The kinds of the frames below a node, by how much of the picture they fill, as in `crates/publish/views`.
 *
 * @param {Graph} graph
 * @param {number} top its own frame counts too, unless it is the one above all
 * @returns {{ listed: Kind[], others: number }}
 */
export function legend(graph, top) {
  /** @type {Map<number, number>} */
  const filled = new Map();
  for (let node = top; node < (graph.end[top] ?? 0); node += 1) {
    if (node === 0 && graph.data.path.length < 2) continue;
    filled.set(graph.kind(node), (filled.get(graph.kind(node)) ?? 0) + graph.weight(node));
  }
  const order = [...filled].sort(([, less], [, more]) => more - less);
  const kinds = order.map(([kind]) => graph.data.kinds[kind]).filter((kind) => kind !== undefined);
  return { listed: kinds.slice(0, LISTED), others: Math.max(0, kinds.length - LISTED) };
}

/**
 * The step of the scale of differences, from -5 (less) to 5 (more): the difference of both weights as a share of
 * their sum, as in `crates/publish/charts`.
 *
 * @param {number} here weight in this recording
 * @param {number} there weight in the other one, scaled to this one
 */
export function step(here, there) {
  const sum = here + there;
  return sum > 0 ? Math.round((STEPS * (here - there)) / sum) : 0;
}

/** The data in pages. Each type names the code that writes it. */

/** `flame.json`, by `crates/publish/views/src/flame/json.rs`. */
export interface FlameData {
  unit: string;
  /** The other methods of a handler, by the number of its name. */
  also: Record<string, string[]>;
  /** How much time of a thread one sample stands for, if that is known. */
  sample_ns: number | null;
  total: number;
  total_against: number | null;
  rows: number;
  unweighed: number;
  hidden_nodes: number;
  hidden_weight: number;
  zoom_missed: boolean;
  problems?: string[];
  /** From the outermost node to the zoomed one. */
  path: { id: string; name: string }[];
  names: string[];
  shown_names: string[];
  /** The kind of each name, by its place in `kinds`. */
  kind: number[];
  kinds: Kind[];
  /** In pre-order and in columns; the first is the zoomed one. */
  nodes: {
    id: string[];
    name: number[];
    depth: number[];
    start: number[];
    span: number[];
    weight: number[];
    own: number[];
    against?: number[];
  };
}

/** What an entry of a flame graph's legend stands for: a module, or all of the runtime. */
export interface Kind {
  /** The class of its colour. */
  tone: string;
  title: string;
  /** Whose module it is; empty if the title says so. */
  of: string;
}

/** The visible part of a flame graph: start and end in units of `span`, and the first row. */
export interface Camera {
  from: number;
  to: number;
  depth: number;
}

/** Everything that is needed to draw a flame graph. */
export interface Scene {
  graph: import("./graph.js").Graph;
  camera: Camera;
  focused: number | null;
  hovered: number | null;
  /** The nodes that a search has found; `null` without a search. */
  marked: Set<number> | null;
  /** Pixels. */
  scrolled: number;
}

/** The frame under the pointer or the keyboard focus, and its place on the page. */
export interface Spot {
  node: number;
  x: number;
  y: number;
}

/** `#schema`, by `crates/publish/page/src/sqlpage.rs`. */
export interface Schema {
  tables: {
    name: string;
    about: string;
    columns: { name: string; type: string; unit: string; about: string }[];
  }[];
}

/** A completion. */
export interface Candidate {
  text: string;
  kind: "table" | "column" | "keyword" | "function";
  detail: string;
}

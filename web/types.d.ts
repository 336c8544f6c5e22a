/** Shapes of the data that the pages carry; what makes them is named beside each. */

/** `flame.json`, by `crates/publish/views/src/flame/json.rs`. */
export interface FlameData {
  unit: string;
  total: number;
  total_against: number | null;
  rows: number;
  unweighed: number;
  hidden_nodes: number;
  hidden_weight: number;
  zoom_missed: boolean;
  problems?: string[];
  /** From the outermost node to the one that is zoomed to. */
  path: { id: string; name: string }[];
  names: string[];
  shown_names: string[];
  /** 0 the service's own code, 1 packages, 2 the framework, 3 made at run time, 4 without a name. */
  owners: number[];
  /** In pre-order and in columns; the first is the one that is zoomed to. */
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

/** What of a flame graph is looked at: from where to where in units of `span`, and the first row. */
export interface Camera {
  from: number;
  to: number;
  depth: number;
}

/** A flame graph as it is drawn. */
export interface Scene {
  graph: import("./graph.js").Graph;
  camera: Camera;
  focused: number | null;
  hovered: number | null;
  /** The nodes that a search has found; nothing where none is made. */
  marked: Set<number> | null;
  /** Pixels. */
  scrolled: number;
}

/** A frame that the pointer or the keyboard is at, where it is on the page. */
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

/** What completion offers. */
export interface Candidate {
  text: string;
  kind: "table" | "column" | "keyword" | "function";
  detail: string;
}

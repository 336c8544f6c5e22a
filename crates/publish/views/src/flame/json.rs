//! The flame graph's data as JSON, in columns: what the page's script draws.
//!
//! `names`, `shown_names` and `kind` have one entry per name; a kind is one of `kinds`, those that the legend can list. `nodes` are
//! in pre-order and begin with the zoomed node.
//! `also` has, by the number of a handler's name, the other methods that are parts of it.
//! `sample_ns` is how much time of a thread one sample stands for, if that is known.
//! `span` is the width of a node; in a comparison, the sum of both recordings.

use crate::legend::{Kind, kind};
use crate::stacked::Stacked;
use base::steering::visible;
use model::ById;
use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use stacks::{Name, NameId, TreeView};
use std::borrow::Cow;

/// The longest name in bytes, until [`LONG_NAMES`] is used up.
const LONGEST_NAME: usize = 4_000;
/// Names longer than this count towards [`LONG_NAMES`].
const LONG_NAME: usize = 500;
/// After so many bytes of long names, further names are cut to [`LONG_NAME`].
const LONG_NAMES: usize = 200_000;
/// After so many bytes of names, further names are cut to [`BEGINNING`].
const ALL_NAMES: usize = 3_000_000;
/// The shortest limit of a name in bytes.
const BEGINNING: usize = 100;

/// Cuts names, so that the data stays small however long the names are.
#[derive(Default)]
struct Names {
    /// Bytes of long names so far.
    long: usize,
    /// Bytes of all names so far.
    all: usize,
}

impl Names {
    fn cut<'a>(&mut self, name: &'a str) -> Cow<'a, str> {
        let most = match () {
            () if self.all > ALL_NAMES => BEGINNING,
            () if self.long > LONG_NAMES => LONG_NAME,
            () => LONGEST_NAME,
        };
        let (kept, more) = name.split_at(name.floor_char_boundary(most));
        self.all = self.all.saturating_add(kept.len());
        if kept.len() > LONG_NAME {
            self.long = self.long.saturating_add(kept.len());
        }
        if more.is_empty() {
            return Cow::Borrowed(name);
        }
        Cow::Owned(format!("{kept} … {} characters more", more.chars().count()))
    }
}

/// The data of a picture.
pub fn json(of: &Stacked<'_>, view: &TreeView) -> Value {
    let profile = of.profile;
    let shape = &profile.shape;
    // The number of each name in `names`, once it is used.
    let mut number_of: ById<Name, Option<usize>> = vec![None; shape.names.len()].into();
    let (mut names, mut shown, mut kind_of) = (Vec::new(), Vec::new(), Vec::new());
    let (mut kinds, mut number_of_kind) = (Vec::new(), FxHashMap::<Kind, usize>::default());
    let mut cutting = Names::default();
    let mut used = |name: NameId| {
        let (number, name) = (number_of.get_mut(name)?, shape.names.get(name)?);
        Some(*number.get_or_insert_with(|| {
            names.push(cutting.cut(&name.full));
            shown.push(visible(&cutting.cut(&name.short)).into_owned());
            kind_of.push(*number_of_kind.entry(kind(name)).or_insert_with_key(|Kind { tone, title, of }| {
                kinds.push(json!({"tone": tone, "title": title, "of": of}));
                kinds.len() - 1
            }));
            names.len() - 1
        }))
    };
    let of_nodes: Vec<Option<usize>> = view.nodes.name.iter().map(|name| used(*name)).collect();
    let mut full =
        |name: NameId| shape.names.get(name).map_or(Cow::default(), |name| cutting.cut(&name.full));
    let path: Vec<Value> =
        view.path.iter().map(|(id, name)| json!({"id": id, "name": full(*name)})).collect();
    let nodes = &view.nodes;
    let mut columns = json!({
        "id": nodes.id, "name": of_nodes, "depth": nodes.depth, "start": nodes.start,
        "span": nodes.span, "weight": nodes.weight, "own": nodes.own,
    });
    if profile.total_against().is_some() {
        columns["against"] = json!(nodes.against);
    }
    // What else a name stands for, by its number: script finds a handler by any of its parts.
    let mut also = serde_json::Map::new();
    for (name, number) in number_of.iter_with_ids() {
        let others: Vec<&str> = shape.also(name).collect();
        if let Some(number) =
            number.filter(|_| !others.is_empty() || shape.names.get(name).is_some_and(|of| of.is_handler))
        {
            also.insert(number.to_string(), json!(others));
        }
    }
    json!({
        "unit": of.metric.unit(),
        "also": also,
        "sample_ns": of.time_ns(1.0),
        "total": view.total,
        "total_against": view.total_against,
        "rows": profile.rows,
        "unweighed": profile.unweighed,
        "hidden_nodes": view.hidden_nodes,
        "hidden_weight": view.hidden_weight,
        "zoom_missed": view.zoom_missed,
        "path": path,
        "names": names,
        "shown_names": shown,
        "kind": kind_of,
        "kinds": kinds,
        "nodes": columns,
    })
}

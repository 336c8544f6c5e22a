//! The flame graph's data as JSON, in columns: what the page's script draws.
//!
//! `names`, `shown_names` and `owners` have one entry per name. `nodes` are in pre-order; the first is the one that is
//! zoomed to. `span` is the width of a node; in a comparison, that of both recordings together.

use base::steering::visible;
use serde_json::{Value, json};
use stacks::{NameClass, Profile, View};
use std::borrow::Cow;

/// Bytes of a name that are sent.
const LONGEST_NAME: usize = 4_000;
/// Longer names than this are rare.
const LONG_NAME: usize = 500;
/// Bytes of long names after which further ones are cut to [`LONG_NAME`].
const LONG_NAMES: usize = 200_000;
/// Bytes of all names after which only the beginnings of further ones are sent.
const ALL_NAMES: usize = 3_000_000;
/// Bytes of such a beginning.
const BEGINNING: usize = 100;

/// Cuts names, so that the data stays small however long they are.
#[derive(Default)]
struct Names {
    /// Bytes that were sent of long names.
    long: usize,
    /// Bytes that were sent of all names.
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
pub fn json(profile: &Profile, view: &View, unit: &str) -> Value {
    let shape = &profile.shape;
    let mut number_of = vec![usize::MAX; shape.names.len()];
    let (mut names, mut shown, mut owners) = (Vec::new(), Vec::new(), Vec::new());
    let mut cutting = Names::default();
    let mut used = |name: u32| {
        let Some(number) = number_of.get_mut(name as usize) else { return 0 };
        if *number == usize::MAX {
            *number = names.len();
            if let Some(name) = shape.names.get(name as usize) {
                names.push(cutting.cut(&name.full));
                shown.push(visible(&cutting.cut(&name.short)).into_owned());
                owners.push(owner(name.class));
            }
        }
        *number
    };
    let of_nodes: Vec<usize> = view.nodes.name.iter().map(|name| used(*name)).collect();
    let mut full =
        |name: u32| shape.names.get(name as usize).map_or(Cow::default(), |name| cutting.cut(&name.full));
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
    json!({
        "unit": unit,
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
        "owners": owners,
        "nodes": columns,
    })
}

fn owner(class: NameClass) -> u8 {
    match class {
        NameClass::User => 0,
        NameClass::Library => 1,
        NameClass::Framework => 2,
        NameClass::Dynamic => 3,
        NameClass::Unknown => 4,
    }
}

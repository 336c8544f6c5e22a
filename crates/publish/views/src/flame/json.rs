//! The flame graph's data as JSON, in columns: what the page's script draws.
//!
//! `names`, `shown_names` and `owners` have one entry per name. `nodes` are in pre-order; the first is the one that is
//! zoomed to. `span` is the width of a node; in a comparison, that of both recordings together.

use serde_json::{Value, json};
use stacks::{NameClass, Profile, View};

/// The data of a picture.
pub fn json(profile: &Profile, view: &View, unit: &str) -> Value {
    let shape = &profile.shape;
    let mut number_of = vec![usize::MAX; shape.names.len()];
    let (mut names, mut shown, mut owners) = (Vec::new(), Vec::new(), Vec::new());
    let mut used = |name: u32| {
        let Some(number) = number_of.get_mut(name as usize) else { return 0 };
        if *number == usize::MAX {
            *number = names.len();
            if let Some(name) = shape.names.get(name as usize) {
                names.push(name.full.as_str());
                shown.push(name.short.as_str());
                owners.push(owner(name.class));
            }
        }
        *number
    };
    let of_nodes: Vec<usize> = view.nodes.name.iter().map(|name| used(*name)).collect();
    let full = |name: u32| shape.names.get(name as usize).map_or("", |name| name.full.as_str());
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

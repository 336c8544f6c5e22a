//! The legend of a flame graph: which modules the colours of its frames stand for.
//!
//! Frames of the runtime have one colour, so they are one kind, as are those that were generated at run time and those
//! without a name. `web/graph.js` counts in the same way when script zooms.

use base::steering::visible;
use maud::{Markup, html};
use rustc_hash::FxHashMap;
use stacks::{Name, NameClass, NameId, TreeView, WeightedTree};

/// The most kinds that a legend lists.
const LISTED: usize = 6;
/// The longest name of a module in letters.
const LONGEST: usize = 60;

/// A kind of frames: those that share an entry of the legend.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    /// The class of its colour.
    pub(crate) tone: &'static str,
    /// The module, or what all of them are.
    pub(crate) title: String,
    /// Whose module it is; empty if the title says so.
    pub(crate) of: &'static str,
}

/// The kind of a name.
pub(crate) fn kind(name: &Name) -> Kind {
    let module = || match &*name.module {
        "" => "no module".to_owned(),
        module => visible(module).chars().take(LONGEST).collect(),
    };
    let (title, of) = match name.class {
        // A handler that is compiled into what the runtime made to call it has no module.
        NameClass::User if name.module.is_empty() => ("your code".to_owned(), ""),
        NameClass::User => (module(), "your code"),
        NameClass::Library => (module(), "package"),
        NameClass::Framework => ("the runtime".to_owned(), ""),
        NameClass::Dynamic => ("generated at run time".to_owned(), ""),
        NameClass::Unknown => ("no name".to_owned(), ""),
    };
    Kind { tone: charts::tone(name.class, &name.module), title, of }
}

/// The colour of a name's module, beside the name in lists.
pub(crate) fn module_of(name: &Name) -> Markup {
    html! { span class=(format!("swatch {}", charts::tone(name.class, &name.module))) title=(name.module) {} }
}

/// The names of a picture's frames with their weights. The frame above all stands for no module.
fn frames(picture: &TreeView) -> impl Iterator<Item = (NameId, f64)> + '_ {
    let nodes = &picture.nodes;
    let is_whole = picture.path.len() < 2;
    let frames = nodes.name.iter().zip(&nodes.depth).zip(&nodes.weight);
    let frames = frames.filter(move |((_, depth), _)| **depth > 0 || !is_whole);
    frames.map(|((name, _), weight)| (*name, *weight))
}

/// The kinds of frames by how much of a picture they fill, most first.
fn kinds(profile: &WeightedTree, frames: impl Iterator<Item = (NameId, f64)>) -> Vec<Kind> {
    let mut filled: FxHashMap<Kind, f64> = FxHashMap::default();
    for (name, weight) in frames {
        if let Some(name) = profile.shape.names.get(name) {
            *filled.entry(kind(name)).or_default() += weight;
        }
    }
    let mut kinds: Vec<(Kind, f64)> = filled.into_iter().collect();
    kinds.sort_by(|(a, more), (b, less)| {
        less.total_cmp(more).then_with(|| (&a.title, a.tone).cmp(&(&b.title, b.tone)))
    });
    kinds.into_iter().map(|(kind, _)| kind).collect()
}

/// What the colours of a flame graph mean.
pub(crate) fn legend(profile: &WeightedTree, picture: &TreeView) -> Markup {
    if profile.total_against().is_some() {
        return html! {
            ul.legend aria-label="Colours" {
                li { span.swatch.less {} "less than in the other recording" }
                li { span.swatch.same {} "the same" }
                li { span.swatch.more {} "more" }
            }
        };
    }
    modules(profile, frames(picture))
}

/// Which modules the colours beside the names of a call tree stand for.
pub(crate) fn of_tree(profile: &WeightedTree, picture: &TreeView) -> Markup {
    modules(profile, frames(picture))
}

/// Which modules the colours beside these names stand for, those with the most weight first.
pub(crate) fn modules(profile: &WeightedTree, names: impl Iterator<Item = (NameId, f64)>) -> Markup {
    let kinds = kinds(profile, names);
    let others = kinds.len().saturating_sub(LISTED);
    html! {
        ul.legend aria-label="Colours" {
            @for Kind { tone, title, of } in kinds.iter().take(LISTED) {
                li { span class=(format!("swatch {tone}")) {} (title) @if !of.is_empty() { " (" (of) ")" } }
            }
            @if others > 0 { li { "and " (others) @if others == 1 { " other" } @else { " others" } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Trace;
    use stacks::{Direction, Filter, Metric, ShapedTree, Shaping, ViewOptions, view, weigh};
    use std::sync::Arc;

    fn listed(stacks: &[(&[&str], u64)]) -> String {
        let recording = Trace::sampled(stacks);
        let shape = ShapedTree::new(&recording, &runtime::StackIndex::new(&recording), &Shaping::default());
        let profile =
            WeightedTree::new(Arc::new(shape), &weigh(&recording, &Metric::Wall, &Filter::default()));
        let direction = Direction::Down;
        let options =
            ViewOptions { direction, method: None, zoom: None, least_share: 0.0, most_nodes: 1_000 };
        let picture = view(&profile, &options);
        legend(&profile, &picture).into_string()
    }

    #[test]
    fn modules_are_listed_by_how_much_of_the_picture_they_fill() {
        let text = listed(&[
            (&["System.Private.CoreLib!Run", "Shop!Pay", "Npgsql!Read"], 3),
            (&["System.Private.CoreLib!Run", "System.Linq!Sum", "Shop.Data!Load"], 1),
        ]);
        let order = ["the runtime", "Npgsql (package)", "Shop (your code)", "Shop.Data (your code)"];
        let places: Vec<usize> =
            order.iter().map(|of| text.find(of).unwrap_or_else(|| panic!("{of}: {text}"))).collect();
        assert!(places.is_sorted(), "{text}");
        assert_eq!(text.matches("the runtime").count(), 1);
    }

    #[test]
    fn of_many_modules_the_first_are_listed_and_the_others_counted() {
        let names: Vec<String> = (0..9).map(|at| format!("Shop{at}!Pay")).collect();
        let stack: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = listed(&[(&stack, 1)]);
        assert_eq!(text.matches("swatch").count(), LISTED);
        assert!(text.contains("and 3 others"), "{text}");
    }
}

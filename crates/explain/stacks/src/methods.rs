//! The names of a profile as a table: what each weighs itself, and with what it calls.

use crate::profile::WeightedTree;
use crate::shape::{Name, NameId, NodeId, ROOT};
use model::ById;

/// What a name weighs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MethodRow {
    /// The name in the shape.
    pub name: NameId,
    /// As the innermost frame. A stop for the sampler and a frame without a name count for their callers.
    pub own: f64,
    /// Anywhere on the stack. Each stack counts once, even if the method calls itself.
    pub total: f64,
    /// `own` in the other recording. `None` without a comparison.
    pub own_against: Option<f64>,
    /// `total` in the other recording. `None` without a comparison.
    pub total_against: Option<f64>,
}

/// The table. The row with the largest `own` comes first.
#[derive(Debug, Clone, PartialEq)]
pub struct Methods {
    /// The rows.
    pub rows: Vec<MethodRow>,
    /// The weight of the whole selection.
    pub total: f64,
    /// The weight of the whole selection in the other recording.
    pub total_against: Option<f64>,
}

/// All names that weigh something.
pub fn methods(profile: &WeightedTree) -> Methods {
    let shape = &profile.shape;
    let compared = profile.against.is_some();
    let empty = |name| MethodRow {
        name,
        own: 0.0,
        total: 0.0,
        own_against: compared.then_some(0.0),
        total_against: compared.then_some(0.0),
    };
    let mut rows: ById<Name, MethodRow> = shape.names.ids().map(empty).collect();
    // The walk enters and leaves every node. This is how often each name is on the stack of the current node.
    let mut active: ById<Name, u32> = vec![0; shape.names.len()].into();
    // The names on the stack of the current node that say what runs, the innermost last.
    let mut acting: Vec<NameId> = Vec::new();
    let mut steps: Vec<(NodeId, bool)> = Vec::new();
    let visit = |node: NodeId| profile.weight(node) != 0.0 || profile.weight_against(node) != 0.0;
    let enter_children = |steps: &mut Vec<(NodeId, bool)>, node: NodeId| {
        steps.extend(shape.children(node).iter().filter(|child| visit(**child)).map(|child| (*child, true)));
    };
    enter_children(&mut steps, ROOT);
    while let Some((node, enters)) = steps.pop() {
        let Some(name) = shape.name_of(node) else { continue };
        let stands_in = shape.names.get(name).is_some_and(|name| name.stands_in);
        let Some(active) = active.get_mut(name) else { continue };
        if !enters {
            *active -= 1;
            if !stands_in {
                acting.pop();
            }
            continue;
        }
        if !stands_in {
            acting.push(name);
        }
        // A frame that counts for its caller adds its weight to the caller.
        if let Some(row) = rows.get_mut(acting.last().copied().unwrap_or(name)) {
            row.own += profile.own(node);
            if let Some(own) = &mut row.own_against {
                *own += profile.own_against(node);
            }
        }
        let Some(row) = rows.get_mut(name) else { continue };
        let outermost = *active == 0;
        if outermost {
            row.total += profile.weight(node);
        }
        if let Some(total) = &mut row.total_against {
            *total += if outermost { profile.weight_against(node) } else { 0.0 };
        }
        *active += 1;
        steps.push((node, false));
        enter_children(&mut steps, node);
    }
    let weighs = |row: &&MethodRow| row.total != 0.0 || row.total_against.is_some_and(|total| total != 0.0);
    let mut rows: Vec<MethodRow> = rows.iter().filter(weighs).copied().collect();
    let text = |row: &MethodRow| shape.names.get(row.name).map_or("", |name| name.full.as_str());
    rows.sort_by(|a, b| {
        let by_weight = b.own.total_cmp(&a.own).then(b.total.total_cmp(&a.total));
        by_weight.then_with(|| text(a).cmp(text(b)))
    });
    Methods { rows, total: profile.total(), total_against: profile.total_against() }
}

#[cfg(test)]
mod tests {
    use crate::testing::method_lines;
    use model::Trace;

    #[test]
    fn a_method_that_calls_itself_counts_once_a_stack() {
        let recording = Trace::sampled(&[(&["A!f", "A!g", "A!f", "A!f"], 3), (&["A!g"], 2)]);
        assert_eq!(method_lines(&recording), "A!f own 3 total 3\nA!g own 2 total 5\n");
    }

    #[test]
    fn what_stands_for_its_caller_is_no_hot_spot() {
        let recording = Trace::sampled(&[(&["A!f", "A!g", "?"], 3), (&["A!f"], 2)]);
        assert_eq!(method_lines(&recording), "A!g own 3 total 3\nA!f own 2 total 5\n? own 0 total 3\n");
    }
}

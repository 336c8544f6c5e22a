//! Folded stacks: one line per stack, `outermost;…;innermost N`, as flame graph scripts read it.
//!
//! The format has no escapes, so `;` in a name is written as `:` and a line break as a space. Names are repeated
//! wherever they occur, so very long ones are cut. The numbers add up to the selected rows. Rows without a stack are
//! `[no stack]`.

use crate::error::Error;
use crate::text::short;
use crate::tree::{NO_STACK, Name, Tree};
use crate::weigh::{What, sums};
use crate::written::{Count, LeftOut, Why, Written, left_out, wide};
use base::steering::printable;
use model::{ById, Trace};
use std::io::Write;

/// The tables whose rows a folded file can have.
const TABLES: [&str; 5] = ["samples", "allocations", "exceptions", "contention", "waits"];

/// Writes the chosen rows.
pub(crate) fn write(recording: &Trace, what: What, out: &mut dyn Write) -> Result<Written, Error> {
    let tree = Tree::new(recording);
    let sums = sums(recording, &tree, what);
    let names: ById<Name, String> = tree.names.iter().map(|name| escaped(name)).collect();
    let mut path = Vec::new();
    for group in &sums.groups {
        tree.path(group.node, &mut path);
        let mut frames: Vec<&str> =
            path.iter().filter_map(|name| names.get(*name)).map(String::as_str).collect();
        if group.node.is_none() {
            frames.push(NO_STACK);
        }
        let leaf = group.leaf.frame(recording).map(|leaf| escaped(&leaf));
        frames.extend(leaf.as_deref());
        for (at, frame) in frames.iter().enumerate() {
            write!(out, "{}{frame}", if at == 0 { "" } else { ";" })?;
        }
        writeln!(out, " {}", group.weight)?;
    }
    let mut left_out = left_out(recording, &TABLES);
    left_out.extend(tree.left_out());
    let changed = tree.names.iter().zip(&names).filter(|(name, written)| *name != written).count();
    if changed > 0 {
        let names = Count::new("names", wide(changed)).words();
        let about = format!(
            "the exact form of {names} (`;` is written as `:`, a line break as a space, and very long names are cut)"
        );
        left_out.push(LeftOut::cut(about, wide(changed)));
    }
    left_out.extend(what.without_weight(sums.without_weight));
    let of_samples = |what| matches!(what, What::Samples | What::Running | What::Waiting);
    for other in What::ALL.into_iter().filter(|other| *other != what) {
        let rows = crate::weigh::sums(recording, &tree, other).rows;
        // All samples include the running and the waiting ones, and some that are neither.
        let (rows, name) = match (of_samples(what), other) {
            (true, What::Samples) => (rows.saturating_sub(sums.rows), "other samples"),
            (_, What::Running | What::Waiting) => continue,
            _ => (rows, other.rows()),
        };
        if rows > 0 {
            let of_other = Count::new(name, rows).words();
            left_out.push(LeftOut { what: of_other, count: Some(rows), why: Why::OtherKind });
        }
    }
    let samples = of_samples(what).then_some(sums.rows);
    let mut holds = vec![Count::new(what.rows(), sums.rows)];
    if what.unit() != what.rows() && samples.is_none() {
        holds.push(Count::new(what.unit(), sums.total));
    }
    // A file of other rows has no samples.
    Ok(Written { samples: samples.unwrap_or(0), holds, left_out })
}

fn escaped(name: &str) -> String {
    short(&printable(name)).replace(';', ":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, usual};

    fn written(recording: &Trace, what: What) -> String {
        let mut out = Vec::new();
        write(recording, what, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_numbers_of_the_lines_add_up_to_the_rows() {
        let recording = usual();
        insta::assert_snapshot!(What::ALL.map(|what| written(&recording, what)).join("\n"));
    }

    #[test]
    fn a_name_with_a_semicolon_or_a_newline_stays_one_frame_of_one_line() {
        let mut builder = Builder::default();
        builder.sample(0, 1, "running", None, &["A;B", "C\nD 7\u{2028}E"]);
        builder.sample(1, 1, "running", None, &[]);
        assert_eq!(written(&builder.done(), What::Running), "A:B;C D 7 E 1\n[no stack] 1\n");
    }

    #[test]
    fn each_row_that_another_file_would_have_is_left_out_once() {
        let left = |what| {
            let report = write(&usual(), what, &mut Vec::new()).unwrap();
            let others = report.left_out.into_iter().filter(|left| left.why == Why::OtherKind);
            let named = others.filter_map(|left| Some((left.what, left.count?)));
            named.collect::<Vec<_>>()
        };
        let of = |name: &str, count| (name.to_owned(), count);
        let others = [of("1 sampled allocation", 1), of("1 wait for locks", 1), of("1 exception", 1)];
        assert_eq!(left(What::Samples), others);
        assert_eq!(left(What::Running), [[of("4 other samples", 4)].as_slice(), &others].concat());
        assert_eq!(
            left(What::Exceptions),
            [of("8 samples", 8), of("1 sampled allocation", 1), of("1 wait for locks", 1)]
        );
    }

    #[test]
    fn an_empty_recording_is_an_empty_file() {
        assert_eq!(written(&Trace::default(), What::Running), "");
    }
}

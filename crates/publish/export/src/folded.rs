//! Folded stacks: a line a stack, `outermost;…;innermost N`, as flame graph scripts read it.
//!
//! The format has no escapes: a `;` in a name is written as `:`, and what would end a line as a space; names are
//! written out wherever they occur, so a very long one is cut. The numbers add up to the rows of the selection, those
//! without a stack included: theirs is `[no stack]`.

use crate::Report;
use crate::error::Error;
use crate::left::{Count, LeftOut, left_out};
use crate::text::short;
use crate::tree::{NO_STACK, Tree};
use crate::weigh::{What, sums};
use base::steering::printable;
use model::{NO_ID, Trace};
use std::io::Write;

/// The tables whose rows a folded file can be of.
const TABLES: [&str; 5] = ["samples", "allocations", "exceptions", "contention", "waits"];

/// Writes the rows that `what` says.
pub(crate) fn write(recording: &Trace, what: What, out: &mut dyn Write) -> Result<Report, Error> {
    let tree = Tree::new(recording);
    let sums = sums(recording, &tree, what);
    let names: Vec<String> = tree.names.iter().map(|name| escaped(name)).collect();
    let mut path = Vec::new();
    for group in &sums.groups {
        tree.path(group.node, &mut path);
        let mut frames: Vec<&str> =
            path.iter().filter_map(|name| names.get(*name as usize)).map(String::as_str).collect();
        if group.node == NO_ID {
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
        let about =
            "names as they are: `;` is written as `:`, a line's end as a space, and what is very long is cut";
        left_out.push(LeftOut::new(about, crate::left::wide(changed)));
    }
    if sums.without_weight > 0 {
        let about = format!("{}: how long or how much is not known", what.rows());
        left_out.push(LeftOut::new(about, sums.without_weight));
    }
    let of_samples = |what| matches!(what, What::Samples | What::Running | What::Waiting);
    for other in What::ALL.into_iter().filter(|other| *other != what) {
        let rows = crate::weigh::sums(recording, &tree, other).rows;
        // All samples have the running and the waiting ones, and some that are neither.
        let (rows, name) = match (of_samples(what), other) {
            (true, What::Samples) => (rows.saturating_sub(sums.rows), "other samples"),
            (_, What::Running | What::Waiting) => (0, ""),
            _ => (rows, other.rows()),
        };
        if rows > 0 {
            left_out.push(LeftOut::new(format!("{name}: a folded file is of one kind"), rows));
        }
    }
    let samples = of_samples(what).then_some(sums.rows);
    let mut holds = vec![Count::new(what.rows(), sums.rows)];
    if what.unit() != what.rows() && samples.is_none() {
        holds.push(Count::new(what.unit(), sums.total));
    }
    Ok(Report { samples: samples.unwrap_or(0), holds, left_out })
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
            let one_kind = report.left_out.iter().filter(|left| left.what.ends_with("of one kind"));
            let told =
                one_kind.filter_map(|left| Some((left.what.split(':').next()?.to_owned(), left.count?)));
            told.collect::<Vec<_>>()
        };
        let of = |name: &str, count| (name.to_owned(), count);
        let others = [of("sampled allocations", 1), of("waits for locks", 1), of("exceptions", 1)];
        assert_eq!(left(What::Samples), others);
        assert_eq!(left(What::Running), [[of("other samples", 4)].as_slice(), &others].concat());
        assert_eq!(
            left(What::Exceptions),
            [of("samples", 8), of("sampled allocations", 1), of("waits for locks", 1)]
        );
    }

    #[test]
    fn an_empty_recording_is_an_empty_file() {
        assert_eq!(written(&Trace::default(), What::Running), "");
    }
}

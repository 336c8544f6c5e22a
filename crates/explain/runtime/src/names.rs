//! Names of methods as their source has them, instead of the compiler's names.
//!
//! The compiler turns an async method or an iterator `Name` into `MoveNext` of a type `<Name>d__7`, a local function into
//! `<Outer>g__Name|3_0`, and a lambda into `<Outer>b__4`.

use std::collections::{BTreeMap, BTreeSet};

/// A frame's name without module and signature, with the source names of async methods and local functions.
pub fn written_name(frame: &str) -> String {
    let (bare, _) = bare_name(frame);
    if let Some(name) = bare.strip_suffix(".MoveNext").and_then(written_method) {
        return name;
    }
    if let Some((before, rest)) = bare.split_once(">g__")
        && let Some((class, _)) = before.rsplit_once('<')
        && let Some((local, _)) = rest.split_once('|')
    {
        return format!("{class}{local}");
    }
    written_lambda(bare).unwrap_or_else(|| bare.to_owned())
}

/// Whether a frame's name alone says that it is what an async method runs: its source name ends in `Async`, or it is a lambda's.
/// Other names may be an iterator's.
pub fn is_named_as_async(frame: &str) -> bool {
    bare_name(frame).0.strip_suffix(".MoveNext").is_some_and(is_named_async)
}

/// A frame's name without its module, and its signature.
fn bare_name(frame: &str) -> (&str, &str) {
    // A bracket at the very beginning is not that of a signature.
    let split = frame.find('(').filter(|at| *at > 0).and_then(|at| frame.split_at_checked(at));
    let (bare, signature) = split.unwrap_or((frame, ""));
    (bare.split_once('!').map_or(bare, |(_, name)| name), signature)
}

/// The written names of the methods of one list. If several are written alike, each gets what distinguishes it: `Program.Main
/// (lambda b__7_1)`, `Shop.Cart.SubmitAsync (async)`, a signature, or the full name.
#[derive(Debug, Default)]
pub struct MethodLabels(BTreeMap<String, String>);

impl MethodLabels {
    /// The labels of these frames.
    pub fn new<'a>(frames: impl IntoIterator<Item = &'a str>) -> Self {
        let frames: BTreeSet<&str> = frames.into_iter().collect();
        let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for frame in frames {
            alike.entry(written_name(frame)).or_default().push(frame);
        }
        let mut labels = BTreeMap::new();
        for frames in alike.into_values().filter(|frames| frames.len() > 1) {
            let are_distinct = |label: &fn(&str) -> String| {
                frames.iter().map(|frame| label(frame)).collect::<BTreeSet<_>>().len() == frames.len()
            };
            let label =
                [marked, marked_with_signature].into_iter().find(are_distinct).unwrap_or(str::to_owned);
            labels.extend(frames.into_iter().map(|frame| (frame.to_owned(), label(frame))));
        }
        Self(labels)
    }

    /// The label of a frame.
    pub fn label(&self, frame: &str) -> String {
        self.0.get(frame).cloned().unwrap_or_else(|| written_name(frame))
    }
}

/// The written name, with what the compiler made of it.
fn marked(frame: &str) -> String {
    let written = written_name(frame);
    let (bare, _) = bare_name(frame);
    let mut marks = Vec::new();
    let name = match written.strip_suffix(A_LAMBDA) {
        Some(name) => {
            let number = bare.rsplit_once(">b__").map_or("", |(_, rest)| rest);
            let end = number.find(|c: char| !(c.is_ascii_digit() || c == '_')).unwrap_or(number.len());
            marks.push(format!("lambda b__{}", number.get(..end).unwrap_or_default()));
            name
        }
        None => &written,
    };
    if let Some((before, _)) = bare.split_once(">g__") {
        let outer = before.trim_end_matches(['>', '$']).rsplit('<').next().unwrap_or_default();
        marks.push(format!("in {outer}"));
    }
    if is_named_as_async(frame) {
        marks.push("async".to_owned());
    } else if bare.strip_suffix(".MoveNext").is_some_and(is_machine) {
        // It may be an iterator's.
        marks.push("state machine".to_owned());
    }
    if marks.is_empty() { name.to_owned() } else { format!("{name} ({})", marks.join(", ")) }
}

/// The written name with its signature, which distinguishes overloads.
fn marked_with_signature(frame: &str) -> String {
    marked(frame) + bare_name(frame).1
}

/// The end of the written name of a lambda.
const A_LAMBDA: &str = " (a lambda)";

/// The method that a lambda is in: `Shop.Cart+<>c.<Add>b__3_1` is `Shop.Cart.Add (a lambda)`.
fn written_lambda(bare: &str) -> Option<String> {
    let (outer, name) = bare.split_once(".<").filter(|(_, name)| name.contains(">b__"))?;
    let outer = outer.split_once("+<>c").map_or(outer, |(class, _)| class);
    Some(format!("{outer}.{}", source_name(name)))
}

/// Whether a type is a state machine.
pub(crate) fn is_machine(class: &str) -> bool {
    machine_name(class).is_some()
}

/// Whether the name of a state machine says that its method is async: it ends in `Async`, or it is of a lambda or of the
/// entry point, which cannot be iterators.
pub(crate) fn is_named_async(class: &str) -> bool {
    machine_name(class).is_some_and(|(_, name)| {
        let source = source_name(name);
        source.ends_with("Async") || source.ends_with(A_LAMBDA) || source == "Main"
    })
}

/// The method that a state machine was made from: `Shop.Cart.PlaceAsync`.
pub(crate) fn written_method(class: &str) -> Option<String> {
    let (outer, name) = machine_name(class)?;
    let outer = outer.strip_suffix("+<>c").unwrap_or(outer);
    let outer = outer.split("+<>c__").next().unwrap_or(outer);
    Some(format!("{outer}.{}", source_name(name)))
}

/// The type and the method that a state machine was made from.
fn machine_name(class: &str) -> Option<(&str, &str)> {
    // Brackets hold the type arguments of a generic type, which may be state machines themselves.
    let class = class.split('[').next()?;
    let (outer, nested) = class.rsplit_once('+')?;
    let (name, rest) = nested.strip_prefix('<')?.rsplit_once('>')?;
    rest.starts_with('d').then_some((outer, name))
}

/// The source name of a method. `<Get>g__Rent|33_0` is a local function, `<Main>b__7_4` a lambda.
fn source_name(name: &str) -> String {
    if let Some((_, local)) = name.split_once(">g__") {
        return local.split('|').next().unwrap_or(local).to_owned();
    }
    match name.rsplit_once(">b__") {
        Some((of, _)) => {
            format!("{}{A_LAMBDA}", of.trim_start_matches('<').trim_end_matches('$').trim_end_matches('>'))
        }
        None => name.trim_start_matches('<').trim_end_matches('$').trim_end_matches('>').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_machine_is_named_by_the_method_it_was_made_of() {
        let check = |class: &str, expected: Option<&str>| {
            assert_eq!(written_method(class).as_deref(), expected, "{class}");
            assert_eq!(is_machine(class), expected.is_some(), "{class}");
        };
        check("Shop.Cart+<PlaceAsync>d__4", Some("Shop.Cart.PlaceAsync"));
        check("Web.Http+<Process>d__12`1[System.__Canon]", Some("Web.Http.Process"));
        check("Npgsql.Pool+<<Get>g__RentAsync|33_0>d", Some("Npgsql.Pool.RentAsync"));
        check("Program+<<Main>$>d__0", Some("Program.Main"));
        check("Program+<>c+<<<Main>$>b__0_4>d", Some("Program.Main (a lambda)"));
        check("System.Runtime.CompilerServices.Box`1[Shop.Cart+<PlaceAsync>d__4]", None);
        check("Shop.Cart+<>c__DisplayClass3_0", None);
    }

    #[test]
    fn a_frame_is_named_without_module_and_signature() {
        let check = |frame, expected: &str| assert_eq!(written_name(frame), expected, "{frame}");
        check("Shop!Shop.Cart.Add(int32)", "Shop.Cart.Add");
        check("Shop!Shop.Cart+<SubmitAsync>d__7.MoveNext()", "Shop.Cart.SubmitAsync");
        check("Shop!Shop.Cart.<Add>g__Price|3_0(int32)", "Shop.Cart.Price");
        check("Shop!Program+<>c.<<Main>$>b__0_4(int32)", "Program.Main (a lambda)");
        check("Shop!Shop.Cart+<>c__DisplayClass3_0.<Add>b__1(int32)", "Shop.Cart.Add (a lambda)");
        check("Shop!Shop.Cart.<Add>b__3_0()", "Shop.Cart.Add (a lambda)");
        check("?", "?");
        check("", "");
    }

    #[test]
    fn methods_of_one_list_that_are_written_alike_can_be_distinguished() {
        let check = |frames: &[&str], expected: &[&str]| {
            let labels = MethodLabels::new(frames.iter().copied());
            let found: Vec<String> = frames.iter().map(|frame| labels.label(frame)).collect();
            assert_eq!(found, expected);
        };
        let first = "Shop!Program+<>c.<<Main>$>b__0_4(int32)";
        check(&[first, first], &["Program.Main (a lambda)", "Program.Main (a lambda)"]);
        check(
            &[first, "Shop!Program+<>c+<<<Main>$>b__0_4>d.MoveNext()", "Shop!Program+<>c.<<Main>$>b__0_18()"],
            &[
                "Program.Main (lambda b__0_4)",
                "Program.Main (lambda b__0_4, async)",
                "Program.Main (lambda b__0_18)",
            ],
        );
        check(
            &["Shop!Shop.Cart+<SubmitAsync>d__7.MoveNext()", "Shop!Shop.Cart.SubmitAsync(int32)"],
            &["Shop.Cart.SubmitAsync (async)", "Shop.Cart.SubmitAsync"],
        );
        check(
            &["Shop!Shop.Cart+<Items>d__7.MoveNext()", "Shop!Shop.Cart.Items()"],
            &["Shop.Cart.Items (state machine)", "Shop.Cart.Items"],
        );
        check(
            &["Shop!Shop.Cart.<Add>g__Price|3_0(int32)", "Shop!Shop.Cart.<Remove>g__Price|4_0(int32)"],
            &["Shop.Cart.Price (in Add)", "Shop.Cart.Price (in Remove)"],
        );
        check(
            &["Shop!Shop.Cart.Add(int32)", "Shop!Shop.Cart.Add(int64)"],
            &["Shop.Cart.Add(int32)", "Shop.Cart.Add(int64)"],
        );
        check(&["A!Cart.Add()", "B!Cart.Add()"], &["A!Cart.Add()", "B!Cart.Add()"]);
        check(&["?", ""], &["?", ""]);
    }
}

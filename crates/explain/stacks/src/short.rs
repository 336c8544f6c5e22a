//! Names of methods as a picture shows them: `Dictionary<string, …>.Insert`, `Cart.CheckoutAsync (async)`.

use runtime::{is_named_as_async, written_name};
use std::collections::BTreeMap;

/// Types that C# has words for, by their names in type arguments and in signatures.
const KEYWORDS: [(&str, &str); 28] = [
    ("int8", "sbyte"),
    ("int16", "short"),
    ("int32", "int"),
    ("int64", "long"),
    ("unsigned int8", "byte"),
    ("unsigned int16", "ushort"),
    ("unsigned int32", "uint"),
    ("unsigned int64", "ulong"),
    ("wchar", "char"),
    ("float32", "float"),
    ("float64", "double"),
    ("System.Boolean", "bool"),
    ("System.Byte", "byte"),
    ("System.SByte", "sbyte"),
    ("System.Char", "char"),
    ("System.Decimal", "decimal"),
    ("System.Double", "double"),
    ("System.Single", "float"),
    ("System.Int16", "short"),
    ("System.Int32", "int"),
    ("System.Int64", "long"),
    ("System.IntPtr", "nint"),
    ("System.Object", "object"),
    ("System.String", "string"),
    ("System.UInt16", "ushort"),
    ("System.UInt32", "uint"),
    ("System.UInt64", "ulong"),
    ("System.UIntPtr", "nuint"),
];
/// The type argument for which the runtime compiles the code of all reference types.
const ANY_REFERENCE: &str = "System.__Canon";
/// Stands for type arguments that are unknown or too long.
const OMITTED: &str = "…";
/// The longest type arguments in bytes.
const LONGEST_ARGUMENTS: usize = 40;
/// Longer ones are not even read: a hostile recording may have names of millions of letters.
const LONGEST_RAW: usize = 400;
/// How deep type arguments may nest.
const DEEPEST: u32 = 3;
/// The end of the name of a lambda.
const A_LAMBDA: &str = " (a lambda)";

/// `Type.Method` of a full name, without module, namespace and signature. What an async method runs has the method's name and
/// a mark, if the name alone says that it is one.
pub fn short_name(full: &str) -> String {
    let short = short_written(&written_name(full));
    if is_named_as_async(full) { marked_async(&short) } else { short }
}

/// The short name of what an async method runs, whatever its name.
pub(crate) fn short_async_name(full: &str) -> String {
    marked_async(&short_written(&written_name(full)))
}

/// `Type.Method` of a name as its source has it.
pub fn short_written(written: &str) -> String {
    let parts = parts(written);
    let Some((method, outer)) = parts.split_last() else { return String::new() };
    let class = implementor(outer).or_else(|| outer.last().copied());
    match class {
        Some(class) => format!("{}.{method}", with_arguments(class, 0)),
        None => (*method).to_owned(),
    }
}

/// The short name of an async method's `MoveNext`, distinct from the method that starts it.
fn marked_async(short: &str) -> String {
    match short.strip_suffix(A_LAMBDA) {
        Some(outer) => format!("{outer} (async lambda)"),
        None => format!("{short} (async)"),
    }
}

/// A type with its namespace, and with type arguments as the source has them.
pub(crate) fn shown_type(class: &str) -> String {
    with_arguments(class, 0)
}

/// A name for a picture, and the full one.
type ShortAndFull<'a> = (&'a str, &'a str);

/// The short names of a list. Those that are alike get their signature, or else are shown in full.
pub fn distinct(names: &[ShortAndFull<'_>]) -> Vec<String> {
    let mut shown: Vec<String> = names.iter().map(|(short, _)| (*short).to_owned()).collect();
    let longer: [fn(ShortAndFull<'_>) -> String; 2] = [with_signature, |(_, full)| full.to_owned()];
    for label in longer {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for text in &shown {
            *counts.entry(text.clone()).or_default() += 1;
        }
        for (shown, name) in shown.iter_mut().zip(names) {
            if counts.get(shown).is_some_and(|count| *count > 1) {
                *shown = label(*name);
            }
        }
    }
    shown
}

/// A short name with the types of its arguments: `Cart.Add(int, string)`.
fn with_signature((short, full): ShortAndFull<'_>) -> String {
    let bracket = full.find('(').filter(|at| *at > 0);
    let inside = bracket.and_then(|at| full.get(at + 1..)?.strip_suffix(')'));
    let Some(inside) = inside else { return short.to_owned() };
    let kinds = ["class ", "value class ", "valuetype "];
    let bare = |text: &str| {
        let text = text.trim();
        let text = kinds.iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text);
        argument(text, 0)
    };
    let types: Vec<String> = split(inside, ',').into_iter().map(bare).collect();
    format!("{short}({})", types.join(", "))
}

/// The type whose method implements one of an interface that is written out: `Engine` of `Net.Engine.System.IItem.Execute`.
fn implementor<'a>(outer: &[&'a str]) -> Option<&'a str> {
    let interface = outer.last()?.strip_prefix('I')?;
    let first = outer.first()?;
    // The namespace of the interface begins after the type.
    let begins = |part: &&str| [*first, "System", "Microsoft"].contains(part);
    let at = outer.iter().skip(1).position(begins)?;
    interface.starts_with(|c: char| c.is_ascii_uppercase()).then(|| outer.get(at).copied())?
}

/// A type as the source has it: `Dictionary`2+Entry[System.Int32,Shop.Cart]` is `Dictionary<int, Cart>.Entry`.
fn with_arguments(class: &str, depth: u32) -> String {
    let Some(generic) = class.find('`') else { return class.replace('+', ".") };
    let open = class.get(generic..).and_then(|rest| rest.find('[')).map_or(class.len(), |at| generic + at);
    let (head, brackets) = class.split_at(open);
    let (inside, rest) = bracketed(brackets);
    let mut arguments = if inside.is_empty() { Vec::new() } else { split(inside, ',') }.into_iter();
    let part = |part: &str| {
        let Some((name, arity)) = part.split_once('`') else { return part.to_owned() };
        let arity: usize = arity.parse().unwrap_or(1);
        let own: Vec<&str> = arguments.by_ref().take(arity.min(inside.len())).collect();
        format!("{name}<{}>", listed(&own, depth))
    };
    let parts: Vec<String> = head.split('+').map(part).collect();
    parts.join(".") + rest
}

/// Type arguments. Unknown or long ones are omitted.
fn listed(arguments: &[&str], depth: u32) -> String {
    let are_known = arguments.iter().any(|argument| *argument != ANY_REFERENCE);
    let length: usize = arguments.iter().map(|argument| argument.len()).sum();
    if !are_known || depth >= DEEPEST || length > LONGEST_RAW {
        return OMITTED.to_owned();
    }
    let shown: Vec<String> = arguments.iter().map(|of| argument(of, depth + 1)).collect();
    let shown = shown.join(", ");
    if shown.len() > LONGEST_ARGUMENTS { OMITTED.to_owned() } else { shown }
}

/// A type argument without its namespace. One that is the state machine of an async method has that method's name.
fn argument(class: &str, depth: u32) -> String {
    let (bare, array) = class.strip_suffix("[]").map_or((class, ""), |bare| (bare, "[]"));
    if bare == ANY_REFERENCE {
        return OMITTED.to_owned() + array;
    }
    let bare = bare.trim();
    if let Some((_, word)) = KEYWORDS.iter().find(|(of, _)| *of == bare) {
        return format!("{word}{array}");
    }
    if bare.contains(">d") {
        return short_written(&written_name(&format!("{bare}.MoveNext")));
    }
    let last = parts(bare).pop().unwrap_or(bare);
    with_arguments(last, depth) + array
}

/// What is between the first bracket and the one that closes it, and what follows.
fn bracketed(text: &str) -> (&str, &str) {
    let mut depth = 0u32;
    for (at, character) in text.char_indices() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return (text.get(1..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        }
    }
    ("", "")
}

/// The parts of a name between dots. A constructor is `..ctor`: its name begins with a dot.
fn parts(name: &str) -> Vec<&str> {
    split(name, '.')
}

/// Splits at a character that is outside of brackets. Of two in a row, the second begins the next part.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0u32, 0, Vec::new());
    for (place, character) in text.char_indices() {
        match character {
            '[' | '<' | '(' => depth += 1,
            ']' | '>' | ')' => depth = depth.saturating_sub(1),
            _ if character == at && depth == 0 && (place > start || start == 0) => {
                parts.push(text.get(start..place).unwrap_or_default());
                start = place + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_type_and_method() {
        let check = |full, expected: &str| assert_eq!(short_name(full), expected, "{full}");
        check("Shop!Shop.Orders.Cart.Add(int32)", "Cart.Add");
        check("Shop!Shop.Cart+<AddAsync>d__7.MoveNext()", "Cart.AddAsync (async)");
        check("Shop!Shop.Cart+<Items>d__7.MoveNext()", "Cart.Items");
        check("Shop!Program+<>c+<<<Main>$>b__0_4>d.MoveNext()", "Program.Main (async lambda)");
        check("System.Private.CoreLib!System.String..ctor(char[])", "String..ctor");
        check("System.Private.CoreLib!System.String..cctor()", "String..cctor");
        check("Shop!Main", "Main");
        check("Shop!.Main", ".Main");
        check("?", "?");
        check("", "");
    }

    #[test]
    fn types_are_written_as_in_the_source() {
        let check = |full, expected: &str| assert_eq!(short_name(full), expected, "{full}");
        check("A!B.List`1[System.String].Add(!0)", "List<string>.Add");
        check("A!B.List`1[System.Byte[]].Add(!0)", "List<byte[]>.Add");
        check("A!B.List`1[System.__Canon].Add(!0)", "List<…>.Add");
        check("A!B.List`1.Add(!0)", "List<…>.Add");
        check("A!B.Map`2[System.Int32,System.__Canon].Get(!0)", "Map<int, …>.Get");
        check("A!B.Map`2+Entry[System.Int32,Shop.Cart].Get(!0)", "Map<int, Cart>.Entry.Get");
        check("A!B.Map`1+Entry`1[System.Int32,Shop.Cart].Get(!0)", "Map<int>.Entry<Cart>.Get");
        check("A!B.List`1[B.Pair`2[System.Int32,C.Outer+Inner]].Add(!0)", "List<Pair<int, Outer.Inner>>.Add");
        check("A!B.Pool+Worker.Run()", "Pool.Worker.Run");
        check("A!B.Box`1[Shop.Cart+<AddAsync>d__7].MoveNext()", "Box<Cart.AddAsync>.MoveNext");
        check("A!B.Json`1+<WriteAsync>d__15[System.Int32].MoveNext()", "Json<…>.WriteAsync (async)");
        let long = format!("A!B.List`1[C.{}].Add(!0)", "x".repeat(60));
        check(&long, "List<…>.Add");
        let deep = format!("A!B.{}int{}.Add(!0)", "L`1[".repeat(5), "]".repeat(5));
        check(&deep, "L<L<L<L<…>>>>.Add");
        check("A!B.List`1[System.Int32.Add(!0)", "B.List`1[System.Int32.Add");
    }

    #[test]
    fn a_method_of_an_interface_is_named_by_the_type_that_has_it() {
        let check = |full, expected: &str| assert_eq!(short_name(full), expected, "{full}");
        check("N!System.Net.Engine.System.Threading.IThreadPoolWorkItem.Execute()", "Engine.Execute");
        check("N!Shop.Cart.Shop.Core.ICart.Add()", "Cart.Add");
        check("N!Shop.Core.ICart.Add()", "ICart.Add");
        check("N!System.Threading.Internals.Add()", "Internals.Add");
    }

    #[test]
    fn names_of_one_list_that_are_alike_get_what_tells_them_apart() {
        let check = |fulls: &[&str], expected: &[&str]| {
            let shorts: Vec<String> = fulls.iter().map(|full| short_name(full)).collect();
            let names: Vec<_> = shorts.iter().map(String::as_str).zip(fulls.iter().copied()).collect();
            assert_eq!(distinct(&names), expected);
        };
        check(&["A!B.C.Add()", "A!B.C.Get()"], &["C.Add", "C.Get"]);
        check(&["A!B.C.Add(class System.String,int32)", "A!B.C.Add()"], &["C.Add(string, int)", "C.Add()"]);
        check(&["A!B.C.Add()", "D!E.C.Add()"], &["A!B.C.Add()", "D!E.C.Add()"]);
        check(&["A!B.C.Add", "D!E.C.Add"], &["A!B.C.Add", "D!E.C.Add"]);
    }
}

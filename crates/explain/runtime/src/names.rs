//! Names of methods as their source has them, instead of the compiler's names.
//!
//! The compiler turns an async method or an iterator `Name` into `MoveNext` of a type `<Name>d__7`, a local function into
//! `<Outer>g__Name|3_0`, and a lambda into `<Outer>b__4`.

/// A frame's name without module and signature, with the source names of async methods and local functions.
pub fn written_name(frame: &str) -> String {
    // A bracket at the very beginning is not that of a signature.
    let bare = frame.find('(').filter(|at| *at > 0).and_then(|at| frame.get(..at)).unwrap_or(frame);
    let bare = bare.split_once('!').map_or(bare, |(_, name)| name);
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
            format!("{} (a lambda)", of.trim_start_matches('<').trim_end_matches('$').trim_end_matches('>'))
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
        check("Shop!Shop.Cart+<AddAsync>d__7.MoveNext()", "Shop.Cart.AddAsync");
        check("Shop!Shop.Cart.<Add>g__Price|3_0(int32)", "Shop.Cart.Price");
        check("Shop!Program+<>c.<<Main>$>b__0_4(int32)", "Program.Main (a lambda)");
        check("Shop!Shop.Cart+<>c__DisplayClass3_0.<Add>b__1(int32)", "Shop.Cart.Add (a lambda)");
        check("Shop!Shop.Cart.<Add>b__3_0()", "Shop.Cart.Add (a lambda)");
        check("?", "?");
        check("", "");
    }
}

//! Rust files that no module names: they are never compiled, so nothing else would tell.

use super::problem::Problem;
use std::collections::{BTreeMap, BTreeSet};

/// Every file under a `src` folder has a `mod` in the file above it.
pub(super) fn check(sources: &BTreeMap<String, BTreeSet<String>>) -> Vec<Problem> {
    let is_named = |path: &str| {
        let Some((folder, name)) = parts(path) else { return true };
        let above = [format!("{folder}/lib.rs"), format!("{folder}/main.rs"), format!("{folder}.rs")];
        above.iter().filter_map(|file| sources.get(file)).any(|modules| modules.contains(name))
    };
    let unnamed = sources.keys().filter(|path| !is_named(path));
    unnamed.map(|path| Problem::new(path, 1, "no file above it has its `mod`: it is not compiled")).collect()
}

/// The modules that a file names.
pub(super) fn named(text: &str) -> BTreeSet<String> {
    let words = |line: &str| -> Option<String> {
        let (before, after) = line.trim().strip_suffix(';')?.split_once("mod ")?;
        (before.is_empty() || before.starts_with("pub")).then(|| after.to_owned())
    };
    text.lines().filter_map(words).collect()
}

/// Folder and module of a file that a `mod` must name; not a crate's root, and not what cargo finds by its place.
fn parts(path: &str) -> Option<(&str, &str)> {
    let (folder, file) = path.rsplit_once('/')?;
    let name = file.strip_suffix(".rs")?;
    let is_root = folder.ends_with("/src") && matches!(name, "lib" | "main");
    let is_in_src = folder.ends_with("/src") || (folder.contains("/src/") && !folder.ends_with("/src/bin"));
    (is_in_src && !is_root).then_some((folder, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_no_module_names_is_a_problem() {
        let sources = [
            ("a/src/lib.rs", "mod one;\npub(crate) mod two;\n"),
            ("a/src/one.rs", "    mod inner;\n"),
            ("a/src/one/inner.rs", ""),
            ("a/src/two.rs", "// mod left;\nmod inline {}\n"),
            ("a/src/two/left.rs", ""),
            ("a/src/bin/tool.rs", ""),
            ("a/tests/whole.rs", ""),
        ];
        let sources = sources.into_iter().map(|(path, text)| (path.to_owned(), named(text))).collect();
        let problems: Vec<String> = check(&sources).iter().map(Problem::to_string).collect();
        assert_eq!(problems, ["a/src/two/left.rs:1: no file above it has its `mod`: it is not compiled"]);
    }
}

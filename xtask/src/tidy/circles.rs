//! Circles between the files of a crate: files that import one another, directly or by way of others.
//!
//! Whoever wants to understand one file of a circle has to read them all. A path such as `crate::a::Item` leads to the
//! file that defines the item, through re-exports. Tests are left out, since they may look at everything.

use super::problem::Problem;
use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use syn::{Attribute, Item, Meta, UseTree};

/// A path as it is written, or from the root of its crate.
type Segments = Vec<String>;

/// What one file holds, as far as imports are concerned.
#[derive(Debug)]
struct File {
    path: String,
    /// Names that the file imports or re-exports, with what they stand for, from the root of the crate.
    imports: BTreeMap<String, Segments>,
    /// Modules whose names are all imported (`use a::*`).
    globs: Vec<Segments>,
    /// Names of the items that are defined here.
    items: BTreeSet<String>,
    /// Every path of this crate that the file names, from the root of the crate.
    used: BTreeSet<Segments>,
}

/// A problem for each circle between the files below a `src` folder. `files` are the texts of the tree, by path.
pub(super) fn check(src: &str, files: &BTreeMap<String, String>) -> Result<Vec<Problem>> {
    let read = Crate::read(src, files)?;
    let edges = read.edges();
    let short = |path: &str| path.strip_prefix(src).unwrap_or(path).trim_start_matches('/').to_owned();
    let problem = |circle: BTreeSet<&str>| {
        let within = edges.iter().filter(|(from, to)| circle.contains(from) && circle.contains(to));
        let imports: Vec<_> = within.map(|(from, to)| format!("{} -> {}", short(from), short(to))).collect();
        let first = circle.first().copied().unwrap_or(src);
        Problem::new(first, 1, format!("{} files import one another: {}", circle.len(), imports.join(", ")))
    };
    Ok(read.circles().into_iter().map(problem).collect())
}

/// The files of one crate, by module.
#[derive(Debug)]
struct Crate {
    files: BTreeMap<Segments, File>,
}

impl Crate {
    fn read(src: &str, files: &BTreeMap<String, String>) -> Result<Self> {
        let mut crate_files = Self { files: BTreeMap::new() };
        for (path, text) in files {
            let Some(module) = module_of(src, path) else { continue };
            let parsed = syn::parse_file(text).with_context(|| format!("cannot parse {path}"))?;
            crate_files.files.insert(module.clone(), File::of(path, &module, &parsed.items));
        }
        Ok(crate_files)
    }

    /// The groups of files that import one another, each sorted; files outside circles are in none.
    fn circles(&self) -> Vec<BTreeSet<&str>> {
        let reached: BTreeMap<&Segments, BTreeSet<&Segments>> =
            self.files.keys().map(|from| (from, self.reached(from))).collect();
        let mut circles = Vec::new();
        let mut seen = BTreeSet::new();
        for (from, to) in &reached {
            let back = |to: &&&Segments| reached.get(**to).is_some_and(|reached| reached.contains(from));
            let circle: BTreeSet<&Segments> = to.iter().filter(back).copied().collect();
            if circle.len() > 1 && seen.insert(circle.clone()) {
                circles.push(
                    circle.iter().filter_map(|module| Some(self.files.get(*module)?.path.as_str())).collect(),
                );
            }
        }
        circles
    }

    /// The imports between the files, as pairs of paths.
    fn edges(&self) -> BTreeSet<(&str, &str)> {
        let path = |module: &Segments| self.files.get(module).map_or("", |file| file.path.as_str());
        let of = |from| self.imported(from).into_iter().map(move |to| (path(from), path(to)));
        self.files.keys().flat_map(of).collect()
    }

    /// Every file that a file needs, by any number of steps. A crate has below 100 files, so that this is cheap.
    fn reached<'a>(&'a self, from: &'a Segments) -> BTreeSet<&'a Segments> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            open.extend(self.imported(module).into_iter().filter(|to| reached.insert(*to)));
        }
        reached
    }

    /// The other files that a file imports from.
    fn imported<'a>(&'a self, from: &Segments) -> BTreeSet<&'a Segments> {
        let Some(file) = self.files.get(from) else { return BTreeSet::new() };
        let found = file.used.iter().filter_map(|path| self.definition(path, 0));
        found.filter(|to| *to != from).collect()
    }

    /// The module of the file that defines what a path names.
    fn definition(&self, path: &[String], depth: usize) -> Option<&Segments> {
        /// No chain of re-exports is longer, except a ring, which the compiler refuses.
        const MAX_RE_EXPORTS: usize = 16;
        let (module, rest) = (0..=path.len()).rev().find_map(|length| {
            let (module, rest) = path.split_at_checked(length)?;
            Some((self.files.get_key_value(module)?, rest))
        })?;
        let (module, file) = module;
        let Some((name, rest)) = rest.split_first() else { return Some(module) };
        if file.items.contains(name) || depth > MAX_RE_EXPORTS {
            return Some(module);
        }
        if let Some(target) = file.imports.get(name) {
            let target: Segments = target.iter().chain(rest).cloned().collect();
            // `pub use a::Item` and a path of another crate: the latter is not ours to follow.
            return self.definition(&target, depth + 1);
        }
        let defines = |glob: &&Segments| self.files.get(*glob).is_some_and(|file| file.items.contains(name));
        file.globs
            .iter()
            .find(defines)
            .and_then(|glob| self.files.get_key_value(glob))
            .map_or(Some(module), |(to, _)| Some(to))
    }
}

impl File {
    fn of(path: &str, module: &Segments, items: &[Item]) -> Self {
        let mut file = Self {
            path: path.to_owned(),
            imports: BTreeMap::new(),
            globs: Vec::new(),
            items: BTreeSet::new(),
            used: BTreeSet::new(),
        };
        let children: BTreeSet<String> = items.iter().filter_map(child).collect();
        file.read(module, items, &children);
        file
    }

    fn read(&mut self, module: &Segments, items: &[Item], children: &BTreeSet<String>) {
        for item in items {
            match item {
                _ if is_for_tests(attributes(item)) => {}
                Item::Use(item) => self.import(module, &item.tree, Vec::new(), children),
                Item::Mod(item) => {
                    if let Some((_, items)) = &item.content {
                        // An inline module is a part of the file; its `super` is the file itself.
                        let mut inner = module.clone();
                        inner.push(item.ident.to_string());
                        self.read(&inner, items, children);
                    }
                }
                item => {
                    self.items.extend(name_of(item));
                    self.scan(module, item.to_token_stream(), children);
                }
            }
        }
    }

    fn import(
        &mut self,
        module: &Segments,
        tree: &UseTree,
        mut before: Segments,
        children: &BTreeSet<String>,
    ) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.import(module, &path.tree, before, children);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(module, tree, before.clone(), children);
                }
            }
            UseTree::Glob(_) => {
                if let Some(path) = absolute(module, &before, children) {
                    self.used.insert(path.clone());
                    self.globs.push(path);
                }
            }
            UseTree::Name(name) => self.name(module, before, &name.ident.to_string(), None, children),
            UseTree::Rename(rename) => {
                let new = rename.rename.to_string();
                self.name(module, before, &rename.ident.to_string(), Some(new), children);
            }
        }
    }

    fn name(
        &mut self,
        module: &Segments,
        mut before: Segments,
        name: &str,
        new: Option<String>,
        children: &BTreeSet<String>,
    ) {
        let known = new.unwrap_or_else(|| {
            if name == "self" { before.last() } else { None }.cloned().unwrap_or_else(|| name.to_owned())
        });
        if name != "self" {
            before.push(name.to_owned());
        }
        if let Some(path) = absolute(module, &before, children) {
            self.used.insert(path.clone());
            self.imports.insert(known, path);
        }
    }

    /// Finds the paths of this crate in code, also within macros, which are tokens alone.
    fn scan(&mut self, module: &Segments, tokens: TokenStream, children: &BTreeSet<String>) {
        let mut path: Segments = Vec::new();
        let mut colons = 0;
        let end = |path: &mut Segments, used: &mut BTreeSet<Segments>| {
            if path.len() > 1 {
                used.extend(absolute(module, path, children));
            }
            path.clear();
        };
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        end(&mut path, &mut self.used);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    end(&mut path, &mut self.used);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.scan(module, group.stream(), children);
                    }
                }
            }
        }
        end(&mut path, &mut self.used);
    }
}

/// A path from the root of the crate. `None` if it leads to another crate or to a name of this file.
fn absolute(module: &[String], path: &[String], children: &BTreeSet<String>) -> Option<Segments> {
    let mut from = module.to_vec();
    let mut rest = path;
    let mut is_first = true;
    while let Some((segment, after)) = rest.split_first() {
        match segment.as_str() {
            "crate" if is_first => from.clear(),
            "self" if is_first => {}
            "super" => {
                from.pop()?;
            }
            name if is_first && !children.contains(name) => return None,
            _ => break,
        }
        is_first = false;
        rest = after;
    }
    Some(from.into_iter().chain(rest.iter().cloned()).collect())
}

/// The module that a file is, from the root of its crate: none for `lib.rs` and `main.rs`.
fn module_of(src: &str, path: &str) -> Option<Segments> {
    let path = path.strip_prefix(src)?.strip_prefix('/')?.strip_suffix(".rs")?;
    let segments: Segments = path.split('/').map(str::to_owned).collect();
    Some(if matches!(path, "lib" | "main") { Vec::new() } else { segments })
}

/// The name of a module that has a file of its own.
fn child(item: &Item) -> Option<String> {
    match item {
        Item::Mod(module) if !is_for_tests(&module.attrs) => Some(module.ident.to_string()),
        _ => None,
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string().contains("test"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::check;

    /// The circles of a crate with these files, as messages.
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, text)| (format!("a/src/{path}"), (*text).to_owned())).collect();
        check("a/src", &files).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_that_import_one_another_are_a_circle_however_they_are_named() {
        let lib = ("lib.rs", "mod one; mod two; mod three;");
        let one = ("one.rs", "use crate::two::Two; pub struct One;");
        assert_eq!(circles(&[lib, one, ("two.rs", "pub struct Two;")]), [""; 0]);
        let expected = "a/src/one.rs:1: 2 files import one another: one.rs -> two.rs, two.rs -> one.rs";
        for back in
            ["use super::one::One;", "fn f(_: &crate::one::One) {}", "fn f() { vec![crate::one::One]; }"]
        {
            let two = format!("{back} pub struct Two;");
            assert_eq!(circles(&[lib, one, ("two.rs", &two)]), [expected], "{back}");
        }
        let (two, three) = ("use crate::three::T; pub struct Two;", "use crate::one::One; pub struct T;");
        let found = circles(&[lib, one, ("two.rs", two), ("three.rs", three)]);
        assert!(found.len() == 1 && found[0].contains("3 files"), "{found:?}");
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_defines_the_item() {
        let lib = ("lib.rs", "mod one; mod two; pub use one::One; pub use two::*;");
        let one = ("one.rs", "pub struct One; pub fn make() -> crate::Two {}");
        assert_eq!(circles(&[lib, one, ("two.rs", "pub struct Two;")]), [""; 0]);
        assert_eq!(circles(&[lib, one, ("two.rs", "use crate::One; pub struct Two(One);")]).len(), 1);
    }

    #[test]
    fn tests_other_crates_and_parents_that_only_declare_make_no_circle() {
        let lib = ("lib.rs", "mod one;");
        let one = ("one.rs", "mod two; use self::two::Two; pub struct One;");
        let two = "use other::one::One; pub struct Two; #[cfg(test)] mod tests { use super::super::One; }";
        assert_eq!(circles(&[lib, one, ("one/two.rs", two)]), [""; 0]);
        assert_eq!(circles(&[lib, one, ("one/two.rs", "use super::One; pub struct Two;")]).len(), 1);
    }
}

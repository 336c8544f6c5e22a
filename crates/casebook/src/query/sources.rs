//! The recordings that a query reads: one, several apart by their names, or several files together.

use crate::reading;
use anyhow::{Context, Result, ensure};
use import::{FoundExhibit, ProcessChoice};
use model::{Evidence, Kind};
use sql::Database;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How many files one query reads together. All of them are in memory.
const MAX_FILES: usize = 1000;

/// What was named on the command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sources {
    /// Each has its own tables.
    Apart(Vec<NamedPath>),
    /// Each table has the rows of all.
    Together(Vec<PathBuf>),
}

impl Sources {
    pub(super) fn paths(&self) -> Box<dyn Iterator<Item = &Path> + '_> {
        match self {
            Self::Apart(sources) => Box::new(sources.iter().map(|source| source.path.as_path())),
            Self::Together(paths) => Box::new(paths.iter().map(PathBuf::as_path)),
        }
    }

    /// Looks for the exhibits at all paths.
    pub(super) fn found(&self) -> Result<Found> {
        match self {
            Self::Apart(sources) => Ok(Found { exhibits: named(sources)?, is_together: false }),
            Self::Together(paths) => {
                let mut exhibits = Vec::new();
                for path in paths {
                    exhibits.extend(reading::find(path)?);
                }
                ensure_distinct(&exhibits)?;
                Ok(Found { exhibits, is_together: true })
            }
        }
    }
}

/// Refuses exhibits that share a file, which may have several names: `a`, `./a`, a link, a folder that it is in.
fn ensure_distinct(exhibits: &[FoundExhibit]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for FoundExhibit { path, .. } in exhibits {
        let own = path.canonicalize().with_context(|| format!("cannot read {}", path.display()))?;
        let files = import::files(path).into_iter().filter_map(|file| file.canonicalize().ok());
        let files: BTreeSet<PathBuf> = files.chain([own]).collect();
        ensure!(
            seen.is_disjoint(&files),
            "{} is named twice, or is part of a folder that is named too: its rows would count twice",
            path.display()
        );
        seen.extend(files);
    }
    Ok(())
}

/// The exhibits of a query, not opened yet. The name of each is that of its schema in SQL, unless they are together.
pub(super) struct Found {
    exhibits: Vec<FoundExhibit>,
    is_together: bool,
}

/// An exhibit that was read.
pub(super) struct Opened {
    /// The name of its schema, or of its file if the exhibits are together.
    name: Option<String>,
    pub(super) evidence: Evidence,
}

impl Found {
    /// The tables and columns that a statement reads, see [`sql::tables_used`].
    pub(super) fn tables_used(&self, sql: &str) -> Result<Vec<(String, String)>, sql::Error> {
        if self.is_together {
            let kinds: Vec<Kind> = self.exhibits.iter().map(|of| of.kind).collect();
            return sql::tables_used_of_files(sql, &kinds);
        }
        let kinds: Vec<_> = self.exhibits.iter().map(|of| (of.name.clone(), of.kind)).collect();
        sql::tables_used(sql, &kinds)
    }

    /// Reads the exhibits, one after the other. Together they may take as much memory as a single one.
    pub(super) fn open(&self, payloads: bool, process: ProcessChoice) -> Result<Vec<Opened>> {
        let mut opened = Vec::new();
        for of in &self.exhibits {
            let evidence = reading::open(&of.path, payloads, process)?;
            let name = if self.is_together { Some(of.path.display().to_string()) } else { of.name.clone() };
            opened.push(Opened { name, evidence });
            let is_too_much = resident_bytes().is_some_and(|bytes| bytes > import::memory_limit());
            ensure!(
                !is_too_much || opened.len() == self.exhibits.len(),
                "{} of {} recordings take more than half of the memory that this machine, `ulimit -v` or the control group \
                 allows: query fewer at a time",
                opened.len(),
                self.exhibits.len()
            );
        }
        let evidence = opened.iter_mut().map(|of| &mut of.evidence);
        import::set_on_one_clock(self.exhibits.iter().zip(evidence));
        Ok(opened)
    }

    pub(super) fn database(&self, opened: Vec<Opened>) -> Result<Database, sql::Error> {
        let tables = opened.into_iter().map(|Opened { name, evidence }| (name, evidence.tables()));
        if self.is_together {
            let named = tables.map(|(name, tables)| (name.unwrap_or_default(), tables));
            return Database::open_files(named.collect());
        }
        Database::open(tables.collect())
    }
}

/// The memory that we take at the moment. `None` without `/proc`.
fn resident_bytes() -> Option<usize> {
    let stat = host::Proc::live().stat(std::process::id()).ok()?;
    usize::try_from(stat.rss_bytes).ok()
}

/// The exhibits of all sources, each with the name of its schema in SQL.
///
/// Exhibits in one folder are named by their sub-folders.
fn named(sources: &[NamedPath]) -> Result<Vec<FoundExhibit>> {
    let mut exhibits = Vec::new();
    for NamedPath { alias, path } in sources {
        for found in reading::find(path)? {
            let name = match (alias, &found.name) {
                (Some(alias), None) => Some(alias.clone()),
                (None, name) => name.as_deref().map(sql_name),
                (Some(alias), Some(name)) => Some(format!("{alias}_{}", sql_name(name))),
            };
            exhibits.push(FoundExhibit { name, ..found });
        }
    }
    Ok(exhibits)
}

/// A folder's name as a schema name. Characters that SQL does not allow become `_`, and SQLite's own names get one in front.
pub(crate) fn sql_name(folder: &str) -> String {
    let mut name: String = folder.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let is_reserved = ["main", "temp"].iter().any(|own| name.eq_ignore_ascii_case(own));
    if is_reserved || !is_name(&name) {
        name.insert(0, '_');
    }
    name
}

/// A path that was named on the command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NamedPath {
    /// The name of its schema in SQL. Only a single source may do without.
    alias: Option<String>,
    path: PathBuf,
}

/// Reads `FILE`, several `FILE` or patterns, or several `NAME=FILE`.
pub(super) fn of(files: &[String]) -> Result<Sources> {
    let sources: Vec<NamedPath> = files.iter().map(|file| source(file)).collect();
    let is_pattern = |path: &Path| is_pattern(path) && path.symlink_metadata().is_err();
    if sources.iter().all(|source| source.alias.is_none())
        && (sources.len() > 1 || sources.iter().any(|source| is_pattern(&source.path)))
    {
        let mut paths = Vec::new();
        for NamedPath { path, .. } in sources {
            if is_pattern(&path) { paths.extend(matching(&path)?) } else { paths.push(path) }
        }
        ensure!(
            paths.len() <= MAX_FILES,
            "{} files: a query reads at most {MAX_FILES} together",
            paths.len()
        );
        return Ok(Sources::Together(paths));
    }
    if let [_single] = sources.as_slice() {
        return Ok(Sources::Apart(sources));
    }
    for (at, NamedPath { alias, path }) in sources.iter().enumerate() {
        let alias = alias.as_ref().with_context(|| {
            format!("expected NAME=FILE as for the other files, found {}", path.display())
        })?;
        let again = sources.iter().take(at).any(|other| other.alias.as_ref() == Some(alias));
        ensure!(!again, "expected a name of its own for each file, found {alias} twice");
    }
    Ok(Sources::Apart(sources))
}

fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.contains(['*', '?', '[']))
}

/// The files that match a pattern, in the order of their names.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>> {
    let text = pattern.to_string_lossy();
    // As the last part, `**` means folders alone to this library, and the same as `*` to most shells.
    let text = match text.strip_suffix("**") {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => format!("{folder}*").into(),
        _ => text,
    };
    let found = glob::glob(&text).with_context(|| format!("{text} is not a pattern"))?;
    let found: Vec<PathBuf> =
        found.collect::<Result<_, _>>().with_context(|| format!("cannot look for {text}"))?;
    ensure!(!found.is_empty(), "no file matches {text}");
    Ok(found)
}

/// Reads `NAME=FILE`. If there is a file whose name is the whole text, it is that file.
fn source(text: &str) -> NamedPath {
    match text.split_once('=') {
        Some((alias, path)) if is_name(alias) && !Path::new(text).exists() => {
            NamedPath { alias: Some(alias.to_owned()), path: PathBuf::from(path) }
        }
        _ => NamedPath { alias: None, path: PathBuf::from(text) },
    }
}

/// Whether SQL takes it as a name without quotes.
fn is_name(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(word) && text.chars().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], expected: Result<Sources, &str>) {
        let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
        assert_eq!(of(&files).map_err(|error| format!("{error:#}")), expected.map_err(str::to_owned));
    }

    fn apart(sources: &[(Option<&str>, &str)]) -> Sources {
        let source = |(alias, path): &(Option<&str>, &str)| NamedPath {
            alias: alias.map(str::to_owned),
            path: PathBuf::from(path),
        };
        Sources::Apart(sources.iter().map(source).collect())
    }

    #[test]
    fn files_with_names_are_apart_and_those_without_together() {
        check(&["t.nettrace"], Ok(apart(&[(None, "t.nettrace")])));
        check(&["a=t.nettrace"], Ok(apart(&[(Some("a"), "t.nettrace")])));
        check(&["a=1", "b=2"], Ok(apart(&[(Some("a"), "1"), (Some("b"), "2")])));
        check(&["dir/x=1"], Ok(apart(&[(None, "dir/x=1")])));
        check(&["a=1", "2"], Err("expected NAME=FILE as for the other files, found 2"));
        check(&["a=1", "a=2"], Err("expected a name of its own for each file, found a twice"));
        check(&["1", "2"], Ok(Sources::Together(vec!["1".into(), "2".into()])));
        check(&["no/such/*.nettrace"], Err("no file matches no/such/*.nettrace"));
    }
}

//! Where the SQL of `casebook query` comes from: the last argument, a file or standard input.
//!
//! If the arguments are swapped, the error names which one is the file and which one the SQL.

use anyhow::{Context, Result, bail, ensure};
use std::io::Read;
use std::path::Path;

/// The maximum size of SQL, in bytes: as much as a query may have.
const MAX_BYTES: u64 = sql::Limits::OF_THE_PROGRAM.sql_bytes as u64;
/// The first words of statements that read.
const FIRST_WORDS: [&str; 5] = ["select", "with", "values", "explain", "pragma"];

/// The SQL, and the arguments that name recordings.
pub(super) fn statement<'a>(arguments: &'a [String], file: Option<&Path>) -> Result<(String, &'a [String])> {
    if let Some(file) = file {
        let last = arguments.last().map_or("", String::as_str);
        ensure!(!is_sql(last), "there is SQL on the command line and in --file: choose one");
        return Ok((read(file)?, arguments));
    }
    let Some((last, files)) = arguments.split_last().filter(|(_, files)| !files.is_empty()) else {
        bail!(
            "expected FILE and SQL, found only `{}`: `casebook query --help` has examples",
            arguments.join(" ")
        )
    };
    if !is_sql(last) {
        if let Some(sql) = files.iter().find(|file| is_sql(file)) {
            bail!(
                "the arguments are swapped: `{last}` comes last, where SQL is expected, and `{sql}` is in the place of a file; \
                 expected FILE, then SQL"
            );
        }
        let unquoted = arguments.iter().find(|word| {
            FIRST_WORDS.iter().any(|first| word.eq_ignore_ascii_case(first)) && !Path::new(word).exists()
        });
        ensure!(unquoted.is_none(), "SQL is one argument: put it in quotes, as in 'select count(*) from gc'");
        ensure!(
            last == "-" || !Path::new(last).exists(),
            "expected SQL as the last argument, found the file {last}: add SQL, - for standard input, or --file FILE"
        );
    }
    let sql = if last == "-" { read(Path::new("-"))? } else { last.clone() };
    Ok((sql, files))
}

/// Reads SQL from a file, or from standard input if it is `-`.
fn read(file: &Path) -> Result<String> {
    let is_input = file == Path::new("-");
    let name = if is_input { "standard input".to_owned() } else { file.display().to_string() };
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there is more.
    let limit = MAX_BYTES.saturating_add(1);
    let read = if is_input {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    let len = read.with_context(|| format!("cannot read SQL from {name}"))?;
    ensure!(len as u64 <= MAX_BYTES, "{name} is longer than {MAX_BYTES} bytes, which is the limit for SQL");
    // No bytes of it in the message: the file may be a recording by mistake.
    let text =
        String::from_utf8(bytes).map_err(|_not_text| anyhow::anyhow!("{name} is not SQL: it is not text"))?;
    ensure!(!text.trim().is_empty(), "{name} contains no SQL");
    Ok(text)
}

/// Whether a text begins as a statement does. A file's name seldom does, and then it exists.
fn is_sql(text: &str) -> bool {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("--") {
        rest = comment.split_once('\n').map_or("", |(_, below)| below).trim_start();
    }
    let word = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    let ends = rest.get(word.len()..).and_then(|behind| behind.chars().next());
    // `with.nettrace` and `select/` are names of files.
    let is_first = FIRST_WORDS.iter().any(|first| word.eq_ignore_ascii_case(first));
    is_first && ends.is_some_and(|c| c.is_whitespace() || "('\"*".contains(c)) && !Path::new(text).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_known_by_its_first_word() {
        for text in ["select 1", " SELECT\n1", "with a as (select 1) select * from a", "-- all\nvalues(1)"] {
            assert!(is_sql(text), "{text}");
        }
        for text in ["select", "with.nettrace", "selected recordings", "slow", "a=b", "-", "-- nothing", ""] {
            assert!(!is_sql(text), "{text}");
        }
    }
}

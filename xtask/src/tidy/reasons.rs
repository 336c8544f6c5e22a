//! The reasons beside the dependencies: each external one says, in a comment on its line, what it does for us.

use super::problem::Problem;

/// The section of the root manifest that is looked at.
const SECTION: &str = "[workspace.dependencies]";

/// Every external dependency of the root manifest that has no reason.
///
/// An entry that goes over several lines may have its comment on any of them.
pub(super) fn check(path: &str, manifest: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let section = manifest.lines().zip(1..).skip_while(|(line, _)| line.trim() != SECTION).skip(1);
    let mut lines = section.take_while(|(line, _)| !line.starts_with('['));
    while let Some((line, number)) = lines.next() {
        let Some((name, _)) = line.split_once('=').filter(|_| !line.trim_start().starts_with('#')) else {
            continue;
        };
        let mut entry = Entry::default();
        entry.read(line);
        while entry.is_open() {
            let Some((more, _)) = lines.next() else { break };
            entry.read(more);
        }
        if !entry.is_ours() && !entry.has_reason {
            let what = format!("dependency {} has no comment with its reason", name.trim());
            problems.push(Problem::new(path, number, what));
        }
    }
    problems
}

/// What was read of a dependency so far.
#[derive(Debug, Default)]
struct Entry {
    code: String, // without texts in quotes and without comments
    has_reason: bool,
}

impl Entry {
    fn read(&mut self, line: &str) {
        let mut quote = None;
        for (at, character) in line.char_indices() {
            match (quote, character) {
                (None, '#') => {
                    self.has_reason |= !line.split_at(at).1.trim_matches(['#', ' ']).is_empty();
                    return;
                }
                (None, '"' | '\'') => quote = Some(character),
                (None, _) => self.code.push(character),
                (Some(open), _) if open == character => quote = None,
                (Some(_), _) => {}
            }
        }
    }

    fn is_open(&self) -> bool {
        let count = |bracket: char| self.code.matches(bracket).count();
        count('{') + count('[') > count('}') + count(']')
    }

    /// A crate of this workspace is named by its folder.
    fn is_ours(&self) -> bool {
        self.code.split(['{', ',', '=', ' ']).any(|word| word == "path")
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    fn check_section(entries: &str, expected: &[&str]) {
        let manifest = format!(
            "[package]\nname = \"x\"\n[workspace.dependencies]\n{entries}\n[profile.dev]\ndebug = 1\n"
        );
        let problems: Vec<String> = check("Cargo.toml", &manifest).iter().map(ToString::to_string).collect();
        assert_eq!(problems, expected, "{entries}");
    }

    #[test]
    fn a_dependency_has_its_reason() {
        check_section("base = { path = \"crates/base\" }", &[]);
        check_section("# Programs.\nanyhow = \"1\" # errors", &[]);
        check_section("anyhow = \"1\"", &["Cargo.toml:4: dependency anyhow has no comment with its reason"]);
        check_section(
            "anyhow = \"1\" #",
            &["Cargo.toml:4: dependency anyhow has no comment with its reason"],
        );
    }

    #[test]
    fn a_hash_in_quotes_is_no_comment() {
        check_section(
            "odd = { git = \"https://example.org/#path\" }",
            &["Cargo.toml:4: dependency odd has no comment with its reason"],
        );
    }

    #[test]
    fn an_entry_over_several_lines() {
        check_section("clap = { version = \"4\", features = [\n  \"derive\", # flags\n] }", &[]);
        check_section(
            "\nclap = { version = \"4\", features = [\n  \"derive\",\n] }\nzip = \"9\" # .zip",
            &["Cargo.toml:5: dependency clap has no comment with its reason"],
        );
    }
}

//! The arrows between crates: a crate knows those of earlier layers, and siblings of its own folder.
//!
//! ```text
//! base ◀─ capture ◀─ evidence ◀─┬─ explain ─┬◀─ publish ◀─ casebook
//!                               └─ press ───┘
//! ```
//!
//! The readers of formats are stricter: they know `base` alone, and `import` alone knows them. Tests may depend on
//! anything but `xtask`, since what they need is not what the crate needs. Cycles are Cargo's business.

use super::problem::Problem;

/// The readers that no one but `import` may know.
const FORMATS: [&str; 3] = ["nettrace", "gcdump", "coredump"];

/// A crate of the workspace.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    /// Its folder, relative to the workspace.
    pub(super) folder: String,
    /// The text of its manifest, where a wrong arrow is shown.
    pub(super) manifest: String,
    /// The members that it depends on.
    pub(super) arrows: Vec<Arrow>,
}

/// A dependency on another member.
#[derive(Debug)]
pub(super) struct Arrow {
    pub(super) to: String,
    pub(super) in_tests_only: bool,
}

/// Every arrow that must not be.
pub(super) fn check(members: &[Member]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for from in members {
        let path = format!("{}/Cargo.toml", from.folder);
        if Layer::of(&from.folder).is_none() {
            let what = format!("{} is in no layer: its folder must be one of ARCHITECTURE.md's", from.name);
            problems.push(Problem::new(&path, 1, what));
        }
        for arrow in &from.arrows {
            let Some(to) = members.iter().find(|member| member.name == arrow.to) else { continue };
            if let Some(reason) = refusal(from, to, arrow.in_tests_only) {
                let what = format!("{} must not depend on {}: {reason}", from.name, to.name);
                problems.push(Problem::new(&path, line_of(&from.manifest, &to.name), what));
            }
        }
    }
    problems
}

/// The step of the way of the data that a crate belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Base,
    Capture,
    Evidence,
    Explain,
    Press,
    Publish,
    Program,
    Tasks,
}

impl Layer {
    fn of(folder: &str) -> Option<Self> {
        match folder {
            "crates/base" => return Some(Self::Base),
            "crates/casebook" => return Some(Self::Program),
            "xtask" => return Some(Self::Tasks),
            _ => {}
        }
        match folder.strip_prefix("crates/")?.split_once('/')? {
            ("capture", _) => Some(Self::Capture),
            ("evidence", _) => Some(Self::Evidence),
            ("explain", _) => Some(Self::Explain),
            ("press", _) => Some(Self::Press),
            ("publish", _) => Some(Self::Publish),
            _ => None,
        }
    }

    /// Its place in the order; explain and press share one, and so do not know each other.
    fn rank(self) -> u8 {
        match self {
            Self::Base => 0,
            Self::Capture => 1,
            Self::Evidence => 2,
            Self::Explain | Self::Press => 3,
            Self::Publish => 4,
            Self::Program => 5,
            Self::Tasks => 6,
        }
    }
}

fn refusal(from: &Member, to: &Member, in_tests_only: bool) -> Option<&'static str> {
    // A crate without a layer is a problem of its own.
    let (from_layer, to_layer) = (Layer::of(&from.folder)?, Layer::of(&to.folder)?);
    if to_layer == Layer::Tasks {
        return Some("nothing depends on the tasks");
    }
    if in_tests_only || from_layer == Layer::Tasks {
        return None;
    }
    if FORMATS.contains(&from.name.as_str()) && to_layer != Layer::Base {
        return Some("a reader of a format knows base alone");
    }
    if FORMATS.contains(&to.name.as_str()) && from.name != "import" {
        return Some("import alone knows the readers of formats");
    }
    let allowed = from_layer == to_layer || to_layer.rank() < from_layer.rank();
    (!allowed).then_some("its layer is not an earlier one")
}

/// The line of a manifest that declares a dependency; the first one where it is declared under another name.
fn line_of(manifest: &str, dependency: &str) -> usize {
    let declares = |line: &str| {
        let rest = line.trim_start().strip_prefix(dependency);
        rest.is_some_and(|rest| rest.starts_with([' ', '.', '=']))
    };
    let in_dependencies = manifest.lines().enumerate().skip_while(|(_, line)| !line.contains("dependencies"));
    in_dependencies.filter(|(_, line)| declares(line)).map(|(at, _)| at + 1).next().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two crates, written `folder/name`, the first with an arrow to the second.
    fn check_arrow(from: &str, to: &str, in_tests_only: bool) -> Vec<String> {
        let member = |folder: &str| Member {
            name: folder.rsplit('/').next().unwrap_or_default().to_owned(),
            folder: folder.to_owned(),
            manifest: String::new(),
            arrows: Vec::new(),
        };
        let (mut from, to) = (member(from), member(to));
        from.manifest = format!("[package]\n\n[dependencies]\nother = \"1\"\n{}.workspace = true\n", to.name);
        from.arrows.push(Arrow { to: to.name.clone(), in_tests_only });
        check(&[from, to]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn arrows_to_earlier_layers_and_siblings() {
        for (from, to) in [
            ("crates/capture/nettrace", "crates/base"),
            ("crates/evidence/import", "crates/capture/nettrace"),
            ("crates/evidence/sql", "crates/evidence/model"),
            ("crates/explain/findings", "crates/explain/runtime"),
            ("crates/press/load", "crates/evidence/model"),
            ("crates/publish/charts", "crates/explain/stacks"),
            ("crates/publish/server", "crates/press/load"),
            ("crates/casebook", "crates/publish/site"),
            ("xtask", "crates/capture/nettrace"),
        ] {
            assert_eq!(check_arrow(from, to, false), [""; 0], "{from} -> {to}");
        }
    }

    #[test]
    fn arrows_to_later_layers() {
        for (from, to) in [
            ("crates/base", "crates/evidence/model"),
            ("crates/capture/host", "crates/evidence/model"),
            ("crates/evidence/sql", "crates/explain/stacks"),
            ("crates/explain/findings", "crates/press/load"),
            ("crates/press/load", "crates/explain/findings"),
            ("crates/publish/server", "crates/casebook"),
        ] {
            let name = |folder: &str| folder.rsplit('/').next().unwrap_or_default().to_owned();
            let expected = format!(
                "{from}/Cargo.toml:5: {} must not depend on {}: its layer is not an earlier one",
                name(from),
                name(to)
            );
            assert_eq!(check_arrow(from, to, false), [expected]);
        }
    }

    #[test]
    fn readers_of_formats_stand_alone() {
        assert_eq!(
            check_arrow("crates/casebook", "crates/capture/gcdump", false),
            [
                "crates/casebook/Cargo.toml:5: casebook must not depend on gcdump: import alone knows the readers of formats"
            ]
        );
        assert_eq!(
            check_arrow("crates/capture/coredump", "crates/capture/host", false),
            [
                "crates/capture/coredump/Cargo.toml:5: coredump must not depend on host: a reader of a format knows base alone"
            ]
        );
    }

    #[test]
    fn tests_may_look_anywhere_but_at_the_tasks() {
        assert_eq!(check_arrow("crates/base", "crates/evidence/model", true), [""; 0]);
        assert_eq!(
            check_arrow("crates/base", "xtask", true),
            ["crates/base/Cargo.toml:5: base must not depend on xtask: nothing depends on the tasks"]
        );
    }

    #[test]
    fn a_folder_without_a_layer() {
        assert_eq!(
            check_arrow("crates/misc/helpers", "crates/base", false),
            [
                "crates/misc/helpers/Cargo.toml:1: helpers is in no layer: its folder must be one of ARCHITECTURE.md's"
            ]
        );
    }
}

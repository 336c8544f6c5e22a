//! What the tree depends on: licences that `deny.toml` allows, and sources that cannot change under us.
//!
//! Everything comes from crates.io with a checksum, or lies in the tree; nothing comes from git. What only tests the pages
//! comes from npm's registry, with a checksum as well. Known vulnerabilities are cargo-deny's part, in the release workflow:
//! they need its database.

use super::problem::Problem;
use anyhow::{Context, Result};
use cargo_metadata::{MetadataCommand, Package};
use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};

/// The list of licences.
pub(super) const DENY: &str = "deny.toml";
/// Where Rust packages come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Where packages of npm come from. A lock that names no place means the registry that npm is set to, by the checksum.
const NPM: &str = "https://registry.npmjs.org/";
/// Licences of programs that test the pages, beside those of `deny.toml`: nothing of them is in what we publish.
const TOOLS: [&str; 1] = ["MPL-2.0"];

/// All packages that the workspace depends on, on any system.
pub(super) fn packages() -> Result<Vec<Package>> {
    let ask = |options: &[&str]| {
        let options = options.iter().map(|&option| option.to_owned()).collect::<Vec<_>>();
        MetadataCommand::new().other_options(options).exec()
    };
    let Ok(metadata) = ask(&["--locked"]) else {
        // Without a network there is only what was built here.
        println!("tidy: licences of packages for other systems are not looked at, they cannot be fetched");
        let system = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let metadata = ask(&["--locked", "--offline", "--filter-platform", &system]);
        return Ok(metadata.context("cannot read what the workspace depends on")?.packages);
    };
    Ok(metadata.packages)
}

/// The licences that a `deny.toml` allows.
pub(super) fn allowed(deny: &str) -> Result<Vec<Licensee>> {
    let deny: toml::Table = deny.parse().context("cannot read deny.toml")?;
    let list =
        deny.get("licenses").and_then(|licenses| licenses.get("allow")).and_then(toml::Value::as_array);
    let list = list.context("deny.toml has no `licenses.allow`")?;
    let parsed = list.iter().map(|name| {
        let name = name.as_str().context("a licence of deny.toml is not a text")?;
        Licensee::parse(name).map_err(|error| anyhow::anyhow!("deny.toml: {name}: {}", error.reason))
    });
    parsed.collect()
}

/// What is wrong with the licence of a package, if anything is.
pub(super) fn licence(package: &str, licence: Option<&str>, allowed: &[Licensee]) -> Option<Problem> {
    let problem = |what: String| Some(Problem::new(DENY, 1, format!("{package}: {what}")));
    let Some(licence) = licence else { return problem("says no licence".to_owned()) };
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
        return problem(format!("its licence `{licence}` cannot be understood"));
    };
    let is_allowed = |of: &spdx::LicenseReq| allowed.iter().any(|licensee| licensee.satisfies(of));
    if expression.evaluate(is_allowed) {
        None
    } else {
        problem(format!("its licence `{licence}` is not allowed"))
    }
}

/// Packages of a `Cargo.lock` that are neither in the tree nor from crates.io with a checksum.
pub(super) fn sources(path: &str, lock: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (mut name, mut is_open) = ("", None);
    for (line, number) in lock.lines().zip(1..) {
        let value = |key: &str| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"');
        if let Some(of) = value("name") {
            name = of;
        }
        if value("checksum").is_some() || line.is_empty() {
            if let Some(at) = is_open.take().filter(|_| line.is_empty()) {
                problems.push(Problem::new(path, at, format!("{name} has no checksum")));
            }
        } else if let Some(source) = value("source") {
            if source == REGISTRY {
                is_open = Some(number);
            } else {
                let what = format!("{name} comes from {source}, and only crates.io is allowed");
                problems.push(Problem::new(path, number, what));
            }
        }
    }
    problems.extend(is_open.map(|at| Problem::new(path, at, format!("{name} has no checksum"))));
    problems
}

/// Packages of npm's lock with another licence or source than is allowed.
pub(super) fn npm(path: &str, lock: &str, allowed: &[Licensee]) -> Result<Vec<Problem>> {
    let lock: Value = serde_json::from_str(lock).with_context(|| format!("cannot read {path}"))?;
    let packages = lock["packages"].as_object().with_context(|| format!("{path} has no packages"))?;
    let tools = TOOLS.iter().filter_map(|name| Licensee::parse(name).ok());
    let allowed: Vec<Licensee> = allowed.iter().cloned().chain(tools).collect();
    let mut problems = Vec::new();
    // The one without a name is our own.
    for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
        let mut problem = |what: &str| problems.push(Problem::new(path, 1, format!("{name}: {what}")));
        if package["resolved"].as_str().is_some_and(|from| !from.starts_with(NPM)) {
            problem("comes from elsewhere than npm's registry");
        }
        if !package["integrity"].as_str().is_some_and(|sum| sum.starts_with("sha512-")) {
            problem("has no checksum");
        }
        problems.extend(licence(name, package["license"].as_str(), &allowed));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Vec<Licensee> {
        allowed("[licenses]\nallow = [\"MIT\", \"Apache-2.0\", \"Unicode-3.0\"]").unwrap()
    }

    #[test]
    fn a_licence_that_binds_those_who_use_the_program_is_refused() {
        let is_fine = |text: Option<&str>| licence("x", text, &list()).is_none();
        for text in ["MIT", "MIT/Apache-2.0", "Apache-2.0 / MIT", "MIT OR LGPL-2.1-or-later"] {
            assert!(is_fine(Some(text)), "{text}");
        }
        assert!(is_fine(Some("(MIT OR Apache-2.0) AND Unicode-3.0")));
        for text in ["GPL-3.0-only", "MIT AND GPL-2.0-only", "AGPL-3.0", "SSPL-1.0", "whatever", ""] {
            assert!(!is_fine(Some(text)), "{text}");
        }
        assert!(!is_fine(None));
    }

    #[test]
    fn a_package_that_can_change_under_us_is_refused() {
        let entry = |source: &str, sum: &str| {
            format!(
                "[[package]]\nname = \"own\"\nversion = \"1\"\n\n[[package]]\nname = \"a\"\nversion = \"1\"\n{source}{sum}\n"
            )
        };
        let check = |source: &str, sum: &str, expected: &str| {
            let found = sources("Cargo.lock", &entry(source, sum));
            let found: Vec<&str> = found.iter().map(|problem| problem.what.as_str()).collect();
            assert!(found.iter().all(|what| what.contains(expected)), "{found:?}");
            assert_eq!(found.len(), usize::from(!expected.is_empty()), "{found:?}");
        };
        let registry = format!("source = \"{REGISTRY}\"\n");
        check("", "", "");
        check(&registry, "checksum = \"00\"\n", "");
        check(&registry, "", "a has no checksum");
        check("source = \"git+https://example.org/a#1\"\n", "", "a comes from git+");
        check("source = \"registry+https://example.org/index\"\n", "checksum = \"00\"\n", "a comes from");
    }

    #[test]
    fn a_package_of_npm_has_a_checksum_and_a_licence() {
        let check = |package: &str, expected: usize| {
            let lock = format!("{{\"packages\": {{\"\": {{}}, \"node_modules/a\": {package}}}}}");
            let found = npm("package-lock.json", &lock, &list()).unwrap();
            assert_eq!(found.len(), expected, "{found:?}");
        };
        check(r#"{"license": "MIT", "integrity": "sha512-00"}"#, 0);
        check(r#"{"license": "MPL-2.0", "integrity": "sha512-00"}"#, 0);
        check(r#"{"license": "MIT"}"#, 1);
        check(r#"{"license": "GPL-3.0-only", "integrity": "sha512-00"}"#, 1);
        check(r#"{"license": "MIT", "integrity": "sha512-00", "resolved": "https://example.org/a.tgz"}"#, 1);
    }
}

//! Scenarios from what others have written: `curl` command lines, and HAR files of browsers.
//!
//! ```text
//! curl ─► shell words ─► options ─┐
//!                                 ├─► Entry: method, URL, headers, body ─► one origin ─► scenario file
//! HAR ────────────────────────────┘                  └── what is left out is counted by kind
//! ```
//!
//! Nothing is sent, expanded or run, and no file that a command names is read.

mod curl;
mod entry;
mod har;
mod shell;

use crate::scenario::file::{FlowFile, RequestFile, ScenarioFile};
use crate::scenario::template::{encoded, escaped};
use crate::scenario::{MAX_HEADERS, MAX_REQUESTS, MAX_WEIGHT};
use crate::target::Target;
use entry::{Entry, EntryBody, Notes};
pub use shell::ShellError;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The longest name that a request gets, in letters.
const MAX_NAME: usize = 100;

/// Headers that a connection sets itself.
const OF_CONNECTION: &[&str] = &[
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "expect",
];
/// Headers that are secrets.
const SECRET: &[&str] =
    &["cookie", "authorization", "proxy-authorization", "x-api-key", "x-auth-token", "x-csrf-token"];

/// A scenario that was made of something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The scenario file.
    pub text: String,
    /// How many requests it has.
    pub requests: usize,
    /// What was left out or changed, and how often.
    pub notes: Vec<(String, u64)>,
    /// The names of its headers that are secrets.
    pub secrets: Vec<String>,
}

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is neither.
    #[error("expected a HAR file or `curl` command lines, found text that is not UTF-8")]
    NotText,
    /// JSON that is not a HAR file.
    #[error("expected a HAR file: {0}")]
    Har(serde_json::Error),
    /// Command lines that are not complete.
    #[error("expected `curl` command lines: {0}")]
    Shell(#[from] ShellError),
    /// Nothing in it can be sent.
    #[error("found no request that a scenario can send{}", listed(.0))]
    NoRequests(Vec<(String, u64)>),
    /// The scenario cannot be written.
    #[error("the scenario cannot be written: {0}")]
    Write(toml::ser::Error),
}

fn listed(notes: &[(String, u64)]) -> String {
    let lines: Vec<String> = notes.iter().map(|(what, count)| format!("\n  {count} × {what}")).collect();
    lines.concat()
}

/// How to import.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImportOptions<'a> {
    /// Take the requests to this host only.
    pub host: Option<&'a str>,
    /// Keep the requests in their order, as one flow, instead of choosing among them.
    pub as_flow: bool,
}

/// Makes a scenario of a HAR file or of `curl` command lines.
pub fn import(bytes: &[u8], options: ImportOptions<'_>) -> Result<Imported, ImportError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut notes = Notes::default();
    let entries = if bytes.trim_ascii_start().starts_with(b"{") {
        har::entries(bytes, &mut notes).map_err(ImportError::Har)?
    } else {
        let text = std::str::from_utf8(bytes).map_err(|_not_text| ImportError::NotText)?;
        commands(text, &mut notes)?
    };
    assemble(entries, options, notes)
}

fn commands(text: &str, notes: &mut Notes) -> Result<Vec<Entry>, ShellError> {
    let split = shell::split(text)?;
    notes.add_many("variables and substitutions of the shell: kept as they are written", split.expansions);
    let mut entries = Vec::new();
    for words in &split.commands {
        // Documents show a prompt, and set variables for one command.
        let is_before = |word: &&String| {
            *word == "$" || word.split_once('=').is_some_and(|(name, _)| !name.contains('/'))
        };
        let before = words.iter().take_while(is_before).count();
        let Some((program, arguments)) = words.get(before..).and_then(<[String]>::split_first) else {
            continue;
        };
        if program != "curl" && !program.ends_with("/curl") && program != "curl.exe" {
            notes.add("commands other than curl: left out");
            continue;
        }
        match curl::entries(arguments, notes) {
            Ok(mut of) => entries.append(&mut of),
            Err(skipped) => notes.add(skipped.words()),
        }
    }
    Ok(entries)
}

/// A request with its place among the origins.
struct Placed {
    origin: String,
    path: String,
    entry: Entry,
}

fn assemble(
    entries: Vec<Entry>,
    options: ImportOptions<'_>,
    mut notes: Notes,
) -> Result<Imported, ImportError> {
    let mut placed = Vec::new();
    for entry in entries {
        let is_method =
            !entry.method.is_empty() && entry.method.bytes().all(|of| of.is_ascii_alphabetic() || of == b'-');
        match Target::parse(&entry.url) {
            Ok(target) if is_method => {
                let host = options.host.is_none_or(|host| {
                    [&target.host, &target.authority].iter().any(|of| of.eq_ignore_ascii_case(host))
                });
                if host {
                    let origin = Target { path: String::new(), ..target.clone() }.url();
                    placed.push(Placed {
                        origin,
                        path: encoded(&target.path, |byte| byte.is_ascii_graphic()),
                        entry,
                    });
                } else {
                    notes.add("requests to other hosts than asked for: left out");
                }
            }
            _ => notes.add("requests whose URL or method is not valid HTTP: left out"),
        }
    }
    let Some(origin) = most_frequent(&placed) else {
        return Err(ImportError::NoRequests(notes.into_list()));
    };
    let (own, others): (Vec<_>, Vec<_>) = placed.into_iter().partition(|of| of.origin == origin);
    notes.add_many(
        "requests to other origins than the most frequent one: left out",
        base::number::wide(others.len()),
    );
    let mut secrets = BTreeMap::new();
    let mut requests: Vec<RequestFile> = Vec::new();
    for of in own {
        let made = request(of, &mut notes, &mut secrets);
        let same = requests.iter().position(|of| is_same(of, &made)).filter(|_| !options.as_flow);
        let has_room = requests.len() < MAX_REQUESTS;
        match same.and_then(|at| requests.get_mut(at)) {
            Some(same) => same.weight = Some((same.weight.unwrap_or(1) + 1).min(MAX_WEIGHT)),
            None if has_room => requests.push(made),
            None => notes.add("requests beyond the first 64 that differ: left out"),
        }
    }
    name_all(&mut requests);
    let count = requests.len();
    let mut file = ScenarioFile { url: Some(origin), ..ScenarioFile::default() };
    if options.as_flow {
        file.flow = vec![FlowFile { name: Some("recorded".to_owned()), weight: None, step: requests }];
    } else {
        file.request = requests;
    }
    let text = toml::to_string_pretty(&file).map_err(ImportError::Write)?;
    Ok(Imported { text, requests: count, notes: notes.into_list(), secrets: secrets.into_values().collect() })
}

/// The origin that most requests go to; of several, the one that comes first.
fn most_frequent(placed: &[Placed]) -> Option<String> {
    // How often each occurs, and where it is first.
    let mut counts: BTreeMap<&str, (u64, Reverse<usize>)> = BTreeMap::new();
    for (at, of) in placed.iter().enumerate() {
        counts.entry(&of.origin).or_insert((0, Reverse(at))).0 += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count)?;
    Some(most.0.to_owned())
}

/// Whether two requests are the same, however often each occurs.
fn is_same(a: &RequestFile, b: &RequestFile) -> bool {
    (&a.method, &a.path, &a.headers, &a.body, &a.body_file)
        == (&b.method, &b.path, &b.headers, &b.body, &b.body_file)
}

fn request(of: Placed, notes: &mut Notes, secrets: &mut BTreeMap<String, String>) -> RequestFile {
    let Entry { method, headers, body, .. } = of.entry;
    let mut kept = toml::Table::new();
    for (number, (name, value)) in headers.into_iter().enumerate() {
        if number >= MAX_HEADERS {
            notes.add("headers beyond the first 100 of a request: left out");
            continue;
        }
        let lower = name.to_ascii_lowercase();
        if OF_CONNECTION.contains(&lower.as_str()) || name.starts_with(':') {
            notes.add("headers that belong to the connection (Host, Content-Length, ...): left out");
            continue;
        }
        let is_token = !name.is_empty()
            && name.bytes().all(|of| of.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&of));
        if !is_token || value.bytes().any(|of| of < b' ' && of != b'\t' || of == 0x7f) {
            notes.add("headers that are not valid: left out");
            continue;
        }
        if SECRET.contains(&lower.as_str()) {
            secrets.entry(lower).or_insert_with(|| name.clone());
        }
        let value = toml::Value::String(escaped(&value));
        match kept.get_mut(&name) {
            Some(toml::Value::Array(all)) => all.push(value),
            Some(first) => *first = toml::Value::Array(vec![first.clone(), value]),
            None => drop(kept.insert(name, value)),
        }
    }
    let (body, body_file) = match body {
        Some(EntryBody::Text(text)) => (Some(escaped(&text)), None),
        Some(EntryBody::File(file)) => (None, Some(file)),
        None => (None, None),
    };
    // A body without a method is a POST, and a request without either is a GET.
    let usual = if body.is_some() || body_file.is_some() { "POST" } else { "GET" };
    let method = Some(method).filter(|method| method != usual);
    RequestFile { method, path: escaped(&of.path), headers: kept, body, body_file, ..RequestFile::default() }
}

/// Gives each request a name of its own: its method and path.
fn name_all(requests: &mut [RequestFile]) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for of in requests {
        let method = of.method.as_deref().unwrap_or(if of.body.is_some() || of.body_file.is_some() {
            "POST"
        } else {
            "GET"
        });
        let path = of.path.split('?').next().unwrap_or_default();
        let name: String = format!("{method} {path}").chars().take(MAX_NAME).collect();
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        of.name = Some(if *count == 1 { name } else { format!("{name} #{count}") });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Loaded;
    use proptest::prelude::*;
    use std::time::Duration;

    /// Imports a text. Returns the scenario, and what was left out.
    fn imported(text: &str, options: ImportOptions<'_>) -> (String, String) {
        let of = import(text.as_bytes(), options).unwrap();
        let file: ScenarioFile = toml::from_str(&of.text).unwrap();
        assert_eq!(toml::to_string_pretty(&file).unwrap(), of.text);
        let loaded =
            Loaded::parse(&of.text, None, 1, &|_| Ok(Vec::new()), &|_| Ok(Duration::ZERO)).unwrap().scenario;
        assert_eq!(loaded.requests().count(), of.requests);
        let notes = of.notes.iter().map(|(what, count)| format!("{count} × {what}\n"));
        (of.text.clone(), notes.chain(of.secrets.iter().map(|name| format!("secret: {name}\n"))).collect())
    }

    fn check(text: &str, expected: &str, notes: &str) {
        let found = imported(text, ImportOptions::default());
        assert_eq!((found.0.as_str(), found.1.as_str()), (expected, notes), "{text}");
    }

    #[test]
    fn a_command_that_a_browser_copied() {
        check(
            include_str!("../tests/import/browser.sh"),
            include_str!("../tests/import/browser.toml"),
            "1 × headers that belong to the connection (Host, Content-Length, ...): left out\n\
             1 × requests to other origins than the most frequent one: left out\nsecret: Authorization\nsecret: Cookie\n",
        );
    }

    #[test]
    fn commands_as_documents_have_them() {
        check(
            include_str!("../tests/import/document.sh"),
            include_str!("../tests/import/document.toml"),
            "1 × --what: not known, left out\n1 × -L: redirects are not followed; extract the header Location in a flow\n\
             1 × -d @FILE: the file is sent with its line ends, which curl removes\n\
             1 × -k: not part of a scenario; run it with --insecure\n1 × -o: left out\n\
             1 × bodies in files (@FILE): `body_file` is relative to the scenario file\n\
             1 × commands other than curl: left out\nsecret: Authorization\n",
        );
    }

    #[test]
    fn a_har_file_as_requests_and_as_a_flow() {
        let har = include_str!("../tests/import/session.har");
        check(
            har,
            include_str!("../tests/import/session.toml"),
            "2 × headers that belong to the connection (Host, Content-Length, ...): left out
\
             1 × requests to other origins than the most frequent one: left out
\
             1 × requests whose URL or method is not valid HTTP: left out
\
             1 × requests with a form in several parts (-F, multipart): left out
secret: Cookie
",
        );
        let options = ImportOptions { as_flow: true, ..ImportOptions::default() };
        assert_eq!(imported(har, options).0, include_str!("../tests/import/flow.toml"));
        let options = ImportOptions { host: Some("cdn.example"), ..ImportOptions::default() };
        assert_eq!(
            imported(har, options).0,
            "url = \"https://cdn.example\"

[[request]]
name = \"GET /logo.png\"
path = \"/logo.png\"
"
        );
    }

    #[test]
    fn what_is_neither_is_an_error() {
        let error = |bytes: &[u8]| import(bytes, ImportOptions::default()).unwrap_err().to_string();
        assert!(error(b"{}").starts_with("expected a HAR file"));
        assert!(error(b"\xff").contains("not UTF-8"));
        assert!(error(b"curl 'a").contains("line 1 has no end"));
        assert_eq!(
            error(b"ls -l; curl -F a=b http://a/"),
            "found no request that a scenario can send\n  1 × commands other than curl: left out\n  \
             1 × requests with a form in several parts (-F, multipart): left out"
        );
    }

    proptest! {
        #[test]
        fn any_command_becomes_a_scenario_that_can_be_read(words in prop::collection::vec("(-[a-zA-Z]|--[a-z-]{1,12}|[^']{0,12}|[A-Z]: .{0,6})", 0..8)) {
            let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            let text = format!("curl http://127.0.0.1/{{{{x}}}} {}", words.join(" "));
            if let Ok(of) = import(text.as_bytes(), ImportOptions::default()) {
                let loaded = Loaded::parse(&of.text, None, 1, &|_| Ok(Vec::new()), &|_| Ok(Duration::ZERO));
                prop_assert!(loaded.is_ok(), "{:?}\n{}", loaded.err(), of.text);
            }
        }

        #[test]
        fn any_bytes_are_a_scenario_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100), is_har in any::<bool>()) {
            let har = [&b"{\"log\":{\"entries\":[{\"request\":"[..], &bytes].concat();
            drop(import(if is_har { &har } else { &bytes }, ImportOptions::default()));
        }
    }
}

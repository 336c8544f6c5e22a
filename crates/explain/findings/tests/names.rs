//! Rules know the runtime and its libraries, and no service: least of all the one that they were tried on.
//!
//! The names are those of the laboratory's service, as the frames of its recordings have them, and its routes.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Types, methods and fields that are the service's alone.
const WORDS: [&str; 33] = [
    "AddAsync",
    "AdoOrders",
    "Ambient",
    "AsyncGate",
    "Churn",
    "FindAsync",
    "Finalizable",
    "Inbox",
    "InboxItem",
    "Leaks",
    "NewOrder",
    "OnChanged",
    "OnModelCreating",
    "OrderException",
    "OrderId",
    "Parked",
    "Parsing",
    "PollInbox",
    "Primes",
    "Publisher",
    "RunAsync",
    "ShopContext",
    "SlowAsync",
    "Subscriber",
    "SumWithSpan",
    "SumWithSubstring",
    "TakeBoth",
    "add_Changed",
    "get_Lines",
    "get_Orders",
    "nplusone",
    "newclient",
    "taskrun",
];

/// Its module and namespace, and its routes: found wherever they stand.
const TEXTS: [&str; 29] = [
    "orders!",
    "Orders.",
    "\"orders\"",
    "b__0_",
    "/starve",
    "/taskrun",
    "/thread/",
    "/flood",
    "/poll/",
    "/asynclocal",
    "/alloc/",
    "/loh/",
    "/leak",
    "/finalize",
    "/gen2/",
    "/pin/",
    "/gc/induced",
    "/lock/",
    "/throw",
    "/cpu/",
    "/regex/",
    "/json/",
    "/jit/",
    "/outgoing",
    "/log/",
    "/deadlock",
    "/race",
    "/ado",
    "/ef/",
];

/// Sources and data that decide.
const FOLDERS: [&str; 3] = ["explain/findings/src", "explain/runtime/src", "evidence/import/src"];

/// A name of the service in a text, if it has one.
fn mention(text: &str) -> Option<&'static str> {
    let is_part = |at: char| at.is_alphanumeric() || at == '_';
    let mut words = text.split(|at| !is_part(at));
    let word = words.find_map(|word| WORDS.into_iter().find(|known| *known == word));
    word.or_else(|| TEXTS.into_iter().find(|known| text.contains(known)))
}

/// The part of a source that is compiled into the program.
fn without_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod tests").map_or(text, |(code, _)| code)
}

fn files(folder: &Path, list: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, list);
        } else if path.extension().is_some_and(|end| end == "rs" || end == "txt") {
            list.push(path);
        }
    }
}

#[test]
fn no_rule_and_no_data_names_the_laboratorys_service() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut list = Vec::new();
    for folder in FOLDERS {
        files(&crates.join(folder), &mut list);
    }
    assert!(list.iter().any(|path| path.ends_with("frames.txt")), "the data is looked at");
    assert!(list.len() > 60, "{} files", list.len());
    for path in list {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(mention(without_tests(&text)), None, "{}", path.display());
    }
}

#[test]
fn a_name_is_found_where_it_stands_alone() {
    assert_eq!(mention("mark work Orders.Work.Primes"), Some("Primes"));
    assert_eq!(mention("frame.starts_with(\"orders!\")"), Some("orders!"));
    assert_eq!(mention("path == \"/starve/50\""), Some("/starve"));
    assert_eq!(mention("Pinned objects; it orders findings"), None);
    assert_eq!(without_tests("code\n#[cfg(test)]\nmod tests { Primes }"), "code\n");
}

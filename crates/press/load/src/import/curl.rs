//! `curl` command lines: which request each would send.

use super::entry::{Entry, EntryBody, Notes, Skipped};
use crate::scenario::template::percent_encoded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Options with a value that do not change the request, or that a run has of its own.
const IGNORED_WITH_VALUE: &[&str] = &[
    "-o",
    "--output",
    "-x",
    "--proxy",
    "-m",
    "--max-time",
    "--connect-timeout",
    "--retry",
    "--retry-delay",
    "-w",
    "--write-out",
    "-c",
    "--cookie-jar",
    "-E",
    "--cert",
    "--key",
    "--cacert",
    "--resolve",
    "--connect-to",
    "--interface",
    "--limit-rate",
    "--max-redirs",
    "-D",
    "--dump-header",
    "--ciphers",
    "--trace-ascii",
    "--keepalive-time",
    "--noproxy",
    "-K",
    "--config",
    "-U",
    "--proxy-user",
    "-z",
    "--time-cond",
    "-C",
    "--continue-at",
    "-y",
    "-Y",
    "-Q",
    "--quote",
    "-P",
    "-t",
];
/// Options without a value that do not change the request.
const SILENT: &[&str] = &[
    "-s",
    "--silent",
    "-S",
    "--show-error",
    "-v",
    "--verbose",
    "-i",
    "--include",
    "-f",
    "--fail",
    "-#",
    "--progress-bar",
    "-g",
    "--globoff",
    "-N",
    "--no-buffer",
    "-O",
    "--remote-name",
    "--http1.1",
    "--path-as-is",
];
/// One letter behind a `-` that takes a value.
const LETTERS_WITH_VALUE: &str = "XHdubAeFoxmwcEDKrTUzCyYQPt";

/// The options that matter, with the letters that stand for them.
fn long(option: &str) -> &str {
    match option {
        "-X" => "--request",
        "-H" => "--header",
        "-d" | "--data-ascii" => "--data",
        "-u" => "--user",
        "-b" => "--cookie",
        "-A" => "--user-agent",
        "-e" => "--referer",
        "-G" => "--get",
        "-I" => "--head",
        "-k" => "--insecure",
        "-L" => "--location",
        "-F" | "--form-string" => "--form",
        "-r" => "--range",
        "-T" => "--upload-file",
        other => other,
    }
}

/// A command as far as it is read.
#[derive(Default)]
struct Command {
    method: Option<String>,
    urls: Vec<String>,
    headers: Vec<(String, String)>,
    /// Names of headers that curl shall not send.
    without: Vec<String>,
    data: Vec<String>,
    file: Option<String>,
    content_type: Option<&'static str>,
    is_get: bool,
    is_head: bool,
    skipped: Option<Skipped>,
}

/// The requests of the words behind `curl`.
pub(super) fn entries(words: &[String], notes: &mut Notes) -> Result<Vec<Entry>, Skipped> {
    let mut command = Command::default();
    let mut words = words.iter();
    let mut only_urls = false;
    while let Some(word) = words.next() {
        if only_urls || !word.starts_with('-') || word == "-" {
            command.urls.push(word.clone());
        } else if word == "--" {
            only_urls = true;
        } else if let Some(option) = word.strip_prefix("--") {
            let (option, value) = match option.split_once('=') {
                Some((option, value)) => (format!("--{option}"), Some(value.to_owned())),
                None => (word.clone(), None),
            };
            let mut next = || value.clone().or_else(|| words.next().cloned()).unwrap_or_default();
            command.option(&option, &mut next, notes);
        } else {
            // -sSXPOST: letters without a value, then one with it.
            let mut letters = word.get(1..).unwrap_or_default();
            while let Some(letter) = letters.chars().next() {
                letters = letters.get(letter.len_utf8()..).unwrap_or_default();
                let takes = LETTERS_WITH_VALUE.contains(letter);
                let rest = if takes { std::mem::take(&mut letters) } else { "" };
                let rest = Some(rest).filter(|rest| !rest.is_empty());
                let mut next =
                    || rest.map(str::to_owned).or_else(|| words.next().cloned()).unwrap_or_default();
                command.option(&format!("-{letter}"), &mut next, notes);
            }
        }
    }
    command.finish(notes)
}

impl Command {
    fn option(&mut self, option: &str, next: &mut dyn FnMut() -> String, notes: &mut Notes) {
        match long(option) {
            "--url" => self.urls.push(next()),
            "--request" => self.method = Some(next()),
            "--header" => self.header(&next(), notes),
            "--data" => self.data(&next(), true, notes),
            "--data-binary" => self.data(&next(), false, notes),
            "--data-raw" => self.data.push(next()),
            "--data-urlencode" => self.encoded(&next()),
            "--json" => {
                self.data(&next(), false, notes);
                self.content_type = Some("application/json");
            }
            "--user" => {
                let value = format!("Basic {}", STANDARD.encode(next()));
                self.headers.push(("Authorization".to_owned(), value));
            }
            "--oauth2-bearer" => {
                self.headers.push(("Authorization".to_owned(), format!("Bearer {}", next())));
            }
            "--cookie" => match next() {
                cookies if cookies.contains('=') => self.headers.push(("Cookie".to_owned(), cookies)),
                _file => notes.add("files of cookies (-b FILE): left out"),
            },
            "--user-agent" => self.headers.push(("User-Agent".to_owned(), next())),
            "--referer" => self.headers.push(("Referer".to_owned(), next())),
            "--range" => self.headers.push(("Range".to_owned(), format!("bytes={}", next()))),
            "--get" => self.is_get = true,
            "--head" => self.is_head = true,
            "--compressed" => {
                self.headers.push(("Accept-Encoding".to_owned(), "gzip, deflate, br".to_owned()));
            }
            "--insecure" => notes.add("-k: not part of a scenario; run it with --insecure"),
            "--location" => {
                notes.add("-L: redirects are not followed; extract the header Location in a flow");
            }
            "--form" => {
                next();
                self.skipped = Some(Skipped::Form);
            }
            "--upload-file" => {
                next();
                self.skipped = Some(Skipped::Upload);
            }
            other if IGNORED_WITH_VALUE.contains(&other) => {
                next();
                notes.add(&format!("{other}: left out"));
            }
            other if SILENT.contains(&other) => {}
            other => notes.add(&format!("{}: not known, left out", other.escape_debug())),
        }
    }

    /// `Name: value`. `Name:` is a header that curl shall not send, `Name;` one without a value.
    fn header(&mut self, text: &str, notes: &mut Notes) {
        if text.starts_with('@') {
            return notes.add("files of headers (-H @FILE): left out");
        }
        match (text.split_once(':'), text.strip_suffix(';')) {
            (Some((name, value)), _) if value.trim().is_empty() => self.without.push(name.trim().to_owned()),
            (Some((name, value)), _) => self.headers.push((name.trim().to_owned(), value.trim().to_owned())),
            (None, Some(name)) => self.headers.push((name.trim().to_owned(), String::new())),
            (None, None) => notes.add("headers without a colon: left out"),
        }
    }

    /// A body, or `@FILE`, which stays a file.
    fn data(&mut self, text: &str, is_joined: bool, notes: &mut Notes) {
        let Some(file) = text.strip_prefix('@') else { return self.data.push(text.to_owned()) };
        if is_joined {
            notes.add("-d @FILE: the file is sent with its line ends, which curl removes");
        }
        notes.add("bodies in files (@FILE): `body_file` is relative to the scenario file");
        self.file = Some(file.to_owned());
    }

    /// `content`, `=content` or `name=content`.
    fn encoded(&mut self, text: &str) {
        match text.split_once('=') {
            Some(("", value)) => self.data.push(percent_encoded(value)),
            Some((name, value)) => self.data.push(format!("{name}={}", percent_encoded(value))),
            None if text.contains('@') => self.skipped = Some(Skipped::EncodedFile),
            None => self.data.push(percent_encoded(text)),
        }
    }

    fn finish(mut self, notes: &mut Notes) -> Result<Vec<Entry>, Skipped> {
        if let Some(skipped) = self.skipped {
            return Err(skipped);
        }
        if self.urls.is_empty() {
            return Err(Skipped::NoUrl);
        }
        if self.file.is_some() && (!self.data.is_empty() || self.is_get) {
            return Err(Skipped::SeveralBodies);
        }
        let data = (!self.data.is_empty()).then(|| self.data.join("&"));
        let query = data.clone().filter(|_| self.is_get);
        let text = data.filter(|_| !self.is_get).map(EntryBody::Text);
        let body = self.file.take().map(EntryBody::File).or(text);
        let method = match () {
            () if self.is_head => "HEAD",
            () if body.is_some() => "POST",
            () => "GET",
        };
        let mut headers: Vec<(String, String)> = Vec::new();
        let defaults = match (self.content_type, &body) {
            (Some(json), Some(_)) => vec![("Content-Type", json), ("Accept", json)],
            (None, Some(_)) => vec![("Content-Type", "application/x-www-form-urlencoded")],
            (_, None) => Vec::new(),
        };
        for (name, value) in defaults {
            let is_given = |of: &String| of.eq_ignore_ascii_case(name);
            if !self.headers.iter().map(|(of, _)| of).chain(&self.without).any(is_given) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        headers.append(&mut self.headers);
        if self.urls.len() > 1 {
            notes.add("several URLs in one command: each is a request");
        }
        let entry = |url: String| {
            let url = if url.contains("://") { url } else { format!("http://{url}") };
            let url = match &query {
                Some(query) if url.contains('?') => format!("{url}&{query}"),
                Some(query) => format!("{url}?{query}"),
                None => url,
            };
            let method = self.method.clone().unwrap_or_else(|| method.to_owned());
            Entry { method, url, headers: headers.clone(), body: body.clone() }
        };
        Ok(self.urls.into_iter().map(entry).collect())
    }
}

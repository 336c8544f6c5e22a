//! The link of each finding's card opens a view whose total is the figure on the card, for every labelled capture.

#![expect(clippy::unwrap_used, reason = "a test")]

use import::Options;
use page::Pages;
use report::Finding;
use std::path::{Path, PathBuf};

/// Captures that are labelled with what is wrong. Empty where they are not there.
fn captures(test: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/captures/labelled");
    let Ok(folder) = std::fs::read_dir(root) else {
        base::ground::skip(test, "the captures are not there");
        return Vec::new();
    };
    let paths = folder.map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        paths.filter(|path| path.to_string_lossy().ends_with(".nettrace.zst")).collect();
    found.sort();
    found
}

/// What stands between two texts, the first time.
fn between<'a>(text: &'a str, before: &str, behind: &str) -> Option<&'a str> {
    let rest = text.split_once(before)?.1;
    Some(rest.split_once(behind)?.0)
}

/// The parameters of an address, decoded.
fn query(address: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, behind)) = rest.split_first() {
            rest = behind;
            match first {
                b'+' => bytes.push(b' '),
                b'%' => {
                    let (digits, behind) = rest.split_at(2);
                    bytes.push(u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap());
                    rest = behind;
                }
                other => bytes.push(*other),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let Some((_, parameters)) = address.split_once('?') else { return Vec::new() };
    let parameters = parameters.replace("&amp;", "&");
    parameters
        .split('&')
        .filter_map(|of| of.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// Follows the links of all cards of a capture. Returns how many there were, and what is wrong with them.
fn follow(path: &Path) -> (usize, Vec<String>) {
    let evidence = import::open(path, Options { payloads: false, threads: 1 }).unwrap();
    let pages = Pages::new(evidence).unwrap();
    let summary = String::from_utf8(pages.answer("/", &[]).body).unwrap();
    let findings = &pages.explanation().report.findings;
    let wrong = findings.iter().filter_map(|finding| {
        let why = follow_card(&pages, &summary, finding).err()?;
        Some(format!("{}: {}: {why}", path.file_name().unwrap().to_string_lossy(), finding.id))
    });
    (findings.len(), wrong.collect())
}

fn follow_card(pages: &Pages, summary: &str, finding: &Finding) -> Result<(), String> {
    let card = between(summary, &format!("id=\"finding-{}\"", finding.id), "</article>").ok_or("no card")?;
    let href = between(card, "<a class=\"button\" href=\"", "\"").ok_or("no link")?;
    if finding.view.shows.is_empty() || !card.contains(&format!("See {}", finding.view.shows)) {
        return Err("the link does not say what it shows".to_owned());
    }
    let place = href.split('?').next().unwrap();
    let view = pages.answer(&format!("/{place}"), &query(href));
    let status = view.status;
    let view = String::from_utf8(view.body).unwrap();
    if status != 200 || view.contains("role=\"alert\"") {
        return Err(format!("{href} is not understood: {:?}", between(&view, "role=\"alert\"", "</p>")));
    }
    if place == "finding" {
        let mut tables = finding.evidence.iter().filter(|of| of.rows > 0).map(|of| of.table);
        let is_shown = |table: &str| view.contains(&format!("of the table <code>{table}</code>"));
        return if tables.all(is_shown) { Ok(()) } else { Err("a table is missing".to_owned()) };
    }
    check_total(&view, finding).map_err(|why| format!("{href} {why}"))
}

/// Whether the total of a view of stacks is a figure of the finding's card.
fn check_total(view: &str, finding: &Finding) -> Result<(), String> {
    let said = between(view, "<p class=\"said\">", "</p>").ok_or("no total")?;
    let total = between(said, "<b>", "</b>").ok_or("no total")?;
    let counted = between(said, " in ", " row").or_else(|| total.split(' ').next()).unwrap();
    let samples: f64 =
        finding.evidence.iter().filter(|of| !of.samples.is_empty()).map(|of| of.rows as f64).sum();
    let others = finding.evidence.iter().filter(|of| of.samples.is_empty()).map(|of| of.rows as f64);
    let figures: Vec<String> = others.chain([samples]).map(report::unit::short).collect();
    if figures.iter().any(|figure| figure == counted) {
        Ok(())
    } else {
        Err(format!("shows {counted} ({total}), the card says {figures:?}"))
    }
}

fn check(test: &str, part: usize) {
    let captures = captures(test);
    let (mut links, mut wrong) = (0, Vec::new());
    for path in captures.iter().skip(part).step_by(2) {
        let (count, found) = follow(path);
        links += count;
        wrong.extend(found);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(captures.is_empty() || links > 10, "{links}");
}

#[test]
fn the_link_of_every_card_opens_what_the_card_counts() {
    check("the_link_of_every_card_opens_what_the_card_counts", 0);
}

/// The other half, at the same time.
#[test]
fn the_link_of_every_card_opens_what_the_card_counts_in_the_other_captures() {
    check("the_link_of_every_card_opens_what_the_card_counts_in_the_other_captures", 1);
}

/// Captures of several kinds of findings: proved by stacks of samples, of waits and of other events, and by rows.
const IN_FILES: [&str; 4] = ["req-lock", "req-starve", "req-gc", "exceptions-caught"];

#[test]
fn one_file_has_the_graph_or_the_rows_of_each_finding() {
    let captures = captures("one_file_has_the_graph_or_the_rows_of_each_finding");
    let is_one = |path: &&PathBuf| IN_FILES.iter().any(|name| path.ends_with(format!("{name}.nettrace.zst")));
    let (mut graphs, mut tables) = (0, 0);
    for path in captures.iter().filter(is_one) {
        let evidence = import::open(path, Options { payloads: false, threads: 1 }).unwrap();
        let pages = Pages::new(evidence).unwrap();
        let file = pages.file();
        for finding in &pages.explanation().report.findings {
            let id = finding.id;
            let card = between(&file, &format!("id=\"finding-{id}\""), "</article>").unwrap();
            if card.contains(&format!("href=\"#stacks-{id}\"")) {
                let graph = between(&file, &format!("<div id=\"stacks-{id}\">"), "</details>").unwrap();
                check_total(graph, finding).unwrap_or_else(|why| panic!("{path:?}: {id} {why}"));
                graphs += 1;
            } else {
                let rows = between(card, "<details class=\"rows\">", "</details>").unwrap();
                assert!(rows.contains("<table"), "{path:?}: {id} has neither a graph nor rows");
                tables += 1;
            }
        }
    }
    assert!(captures.is_empty() || graphs > 2 && tables > 0, "{graphs}, {tables}");
}

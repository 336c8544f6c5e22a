//! Where casebook says how many requests there were per second, and what it says there.
//!
//! Each surface is read as a user reads it: a figure by its name in JSON, a number before `/s` in text. A surface that
//! says nothing, or says that a rate is not known, gives no number, which is not a fault.

use super::session::Casebook;
use anyhow::{Context, Result};
use cargo_metadata::camino::Utf8Path;
use serde_json::Value;

/// What a surface says of a rate.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Rate(f64),
    /// It is not known, with the reason where there is one.
    Unknown(String),
    Nothing,
}

/// A surface, whether it is about requests or outgoing calls, and what it says.
#[derive(Debug)]
pub(super) struct Surface {
    pub(super) name: String,
    pub(super) of: Of,
    pub(super) said: Said,
}

/// What a rate counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Of {
    Requests,
    /// Requests whose path begins with this.
    Route(String),
    Outgoing,
}

const OUTGOING: &str = "select 1e9 * (select sum(value) from counters where name = 'http.client.request.duration' and kind = 'count')
    / (select max(to_ns) - min(from_ns) from coverage where source = 'events')";

/// All surfaces of one recording. `routes` are the first words of the paths that were asked for.
pub(super) fn of_recording(
    casebook: &Casebook,
    exhibit: &Utf8Path,
    routes: &[String],
) -> Result<Vec<Surface>> {
    let file = exhibit.as_str();
    let explained = casebook.json(&["explain", file])?;
    let topic = casebook.json(&["explain", file, "--topic", "requests"])?;
    let metrics =
        casebook.json(&["query", file, "select value from metrics where name = 'requests.rate'"])?;
    let outgoing = casebook.json(&["query", file, OUTGOING])?;
    let page = exhibit.with_extension("html");
    casebook.output(&["export", file, "--to", "html", "-o", page.as_str()])?;
    let html = std::fs::read_to_string(&page).with_context(|| format!("cannot read {page}"))?;
    std::fs::remove_file(&page)?;
    let page = without_tags(&html);
    let part = &explained["figures"]["requests"];
    let requests = |name: &str, said| Surface { name: name.to_owned(), of: Of::Requests, said };
    let mut surfaces = vec![
        requests("explain json", figure(part)),
        requests("topic json", figure(&topic["topics"][0])),
        requests("metrics", cell(&metrics)),
        requests("explain text", in_line(&casebook.text(&["explain", file])?, "requests ")),
        requests("topic text", in_topic(&casebook.text(&["explain", file, "--topic", "requests"])?)),
        requests("page, time line", after(&page, &["Requests mean "])),
        requests("page, figures", after(&page, &["Requests per second", "ended per second"])),
        Surface { name: "counters".to_owned(), of: Of::Outgoing, said: cell(&outgoing) },
    ];
    for route in routes {
        let name = format!("explain json, {route}");
        surfaces.push(Surface { name, of: Of::Route(route.clone()), said: in_list(part, route) });
    }
    for finding in explained["findings"].as_array().into_iter().flatten() {
        let id = finding["id"].as_str().unwrap_or_default();
        for measured in finding["measured"].as_array().into_iter().flatten() {
            let said = measured["name"].as_str().unwrap_or_default();
            if measured["unit"] == "1/s" && (said.contains("call") || said.contains("request")) {
                let of = if said.contains("call") { Of::Outgoing } else { Of::Requests };
                let said = measured["value"].as_f64().map_or(Said::Nothing, Said::Rate);
                surfaces.push(Surface { name: format!("finding {id}"), of, said });
            }
        }
    }
    Ok(surfaces)
}

/// What a comparison says of both recordings: before, after.
pub(super) fn of_diff(casebook: &Casebook, before: &Utf8Path, after: &Utf8Path) -> Result<[Said; 2]> {
    let said = casebook.json(&["diff", before.as_str(), after.as_str()])?;
    let rows = said["changes"].as_array().context("the comparison has no changes")?;
    let whole = rows.iter().find(|row| row["subject"] == "throughput" && row["name"] == "");
    let Some(row) = whole else { return Ok([Said::Nothing, Said::Nothing]) };
    let reason = || row["reason"].as_str().unwrap_or("null").to_owned();
    Ok(["before", "after"]
        .map(|column| row[column].as_f64().map_or_else(|| Said::Unknown(reason()), Said::Rate)))
}

/// The figure `rate` of a part, or why it is missing.
fn figure(part: &Value) -> Said {
    let mut figures = part["figures"].as_array().into_iter().flatten();
    let Some(rate) = figures.find(|figure| figure["name"] == "rate") else {
        return missing(part).map_or(Said::Nothing, Said::Unknown);
    };
    match rate["value"].as_f64() {
        Some(value) => Said::Rate(value),
        None => Said::Unknown(missing(part).unwrap_or_else(|| "no reason".to_owned())),
    }
}

fn missing(part: &Value) -> Option<String> {
    let reasons: Vec<&str> = part["missing"].as_array()?.iter().filter_map(Value::as_str).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The rate of a route in the list of routes.
fn in_list(part: &Value, route: &str) -> Said {
    for list in part["lists"].as_array().into_iter().flatten().filter(|list| list["name"] == "routes") {
        let columns = list["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(at) = columns.iter().position(|column| column["unit"] == "1/s") else { continue };
        let rows = list["rows"].as_array().into_iter().flatten();
        let named = rows.filter(|row| row["name"].as_str().is_some_and(|name| names(name, route)));
        let rates: Vec<f64> = named.filter_map(|row| row["values"][at].as_f64()).collect();
        if !rates.is_empty() {
            return Said::Rate(rates.iter().sum());
        }
    }
    Said::Nothing
}

/// Whether a name such as `GET /rates/{zone:int}` is of the route `rates`.
fn names(name: &str, route: &str) -> bool {
    name.split([' ', '/']).any(|word| word == route)
}

fn cell(answer: &Value) -> Said {
    match answer["rows"][0][0].as_f64() {
        Some(value) => Said::Rate(value),
        None => Said::Unknown("null".to_owned()),
    }
}

/// The first number before `/s` in the line that begins with a label.
fn in_line(text: &str, label: &str) -> Said {
    let line = text.lines().find(|line| line.starts_with(label));
    line.map_or(Said::Nothing, |line| {
        before_per_second(line).unwrap_or(Said::Unknown(line.trim().to_owned()))
    })
}

/// The same in the figures of a topic: what stands between its heading and the first blank line.
fn in_topic(text: &str) -> Said {
    let figures = text.lines().skip_while(|line| line.trim() != "requests").skip(1);
    let figures: Vec<&str> = figures.take_while(|line| !line.trim().is_empty()).collect();
    before_per_second(&figures.join(" ")).unwrap_or(Said::Nothing)
}

/// The first number before `/s` that follows one of some words closely.
fn after(text: &str, words: &[&str]) -> Said {
    const NEAR: usize = 90;
    let near = words.iter().find_map(|word| text.split_once(word));
    let near = near.map(|(_, rest)| rest.chars().take(NEAR).collect::<String>());
    near.and_then(|near| before_per_second(&near)).unwrap_or(Said::Nothing)
}

fn before_per_second(text: &str) -> Option<Said> {
    let (head, _) = text.split_once("/s")?;
    let word = head.split_whitespace().next_back()?;
    let number: f64 = word.replace(',', "").parse().ok()?;
    Some(Said::Rate(number))
}

/// The text of a page, its markup and scripts left out and its spaces made one.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        let skipped = ["script", "style"].into_iter().find(|name| tag.starts_with(name));
        let end = skipped.map_or(">".to_owned(), |name| format!("</{name}>"));
        rest = tag.split_once(end.as_str()).map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Said, after, figure, in_line, in_list, in_topic, without_tags};
    use serde_json::json;

    #[test]
    fn rates_are_read_as_they_are_written() {
        let text = "verdict  no\nrequests    64,434 requests · 6,376/s · p50 33.7 µs\n";
        assert_eq!(in_line(text, "requests "), Said::Rate(6376.0));
        let unknown = in_line("requests    not known: no meter\n", "requests ");
        assert_eq!(unknown, Said::Unknown("requests    not known: no meter".to_owned()));
        let topic = "x\n\nrequests\nfigures  64,434  counted\n   45.6/s  requests per second\n\npath  1/s\n";
        assert_eq!(in_topic(topic), Said::Rate(45.6));
        let page = without_tags("<script>9/s</script><b>Requests</b> <i>mean 6,443/s</i>");
        assert_eq!(after(&page, &["Requests mean "]), Said::Rate(6443.0));
    }

    #[test]
    fn what_is_not_known_has_its_reason() {
        let part = json!({"figures": [{"name": "rate", "value": null}], "missing": ["no meter"]});
        assert_eq!(figure(&part), Said::Unknown("no meter".to_owned()));
        let rows = json!([{"name": "GET /rates/{zone:int}", "values": [2.0, 45.0]}]);
        let list = json!({"lists": [{"name": "routes", "columns": [{"unit": "ms"}, {"unit": "1/s"}], "rows": rows}]});
        assert_eq!(in_list(&list, "rates"), Said::Rate(45.0));
        assert_eq!(in_list(&list, "rate"), Said::Nothing);
    }
}

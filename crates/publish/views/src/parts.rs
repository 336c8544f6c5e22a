//! A part of an explanation: the figures that have a value, its lists, its first series.

use crate::{Links, Target};
use maud::{Markup, PreEscaped, html};
use report::unit::show;
use report::{Figure, List, Part};

/// How many rows of a list a card shows.
const FIRST_ROWS: usize = 3;

/// Whether any figure of a part has a value.
pub fn is_known(part: &Part) -> bool {
    part.figures.iter().any(|figure| figure.value.is_some())
}

/// A part as a card: its title as a link to more, its figures, its first series as a sparkline, and the first rows of
/// the list named `first`.
pub fn part_card(links: &dyn Links, part: &Part, title: &str, first: Option<&str>) -> Markup {
    let first = first.and_then(|name| part.list(name)).filter(|list| !list.rows.is_empty());
    html! {
        section class=(format!("part {}", charts::of_subject(part.id).unwrap_or_default())) {
            h3 { @if let Some(more) = links.to(Target::Part(part.id)) { a href=(more) { (title) } } @else { (title) } }
            (figures(part, &Terms::Short { without: first.map(repeated).unwrap_or_default() }))
            @for series in part.series.iter().filter(|series| series.values.iter().any(Option::is_some)).take(1) {
                p.hint.course { (series.about) @if series.values.iter().any(Option::is_none) { " (gaps: nothing was recorded)" } (PreEscaped(charts::sparkline(&series.values, series.about))) }
            }
            @if let Some(list) = first { (first_rows(links, list)) }
        }
    }
}

/// The names of a list as people write them.
fn written(links: &dyn Links, list: &List) -> Vec<String> {
    links.written_list(&list.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>())
}

/// The first rows of a list, and how many more there are.
fn first_rows(links: &dyn Links, list: &List) -> Markup {
    let more = list.more + list.rows.len().saturating_sub(FIRST_ROWS);
    let columns = list.shown();
    html! {
        div.scroll.first tabindex="0" role="region" aria-label=(list.about) {
            table {
                thead { tr {
                    th scope="col" title=(list.about) { (singular(list.name)) }
                    @for column in &columns { th.num scope="col" { (column.name) } }
                } }
                tbody { @for (row, name) in list.rows.iter().zip(written(links, list)).take(FIRST_ROWS) { tr {
                    td.name title=(row.name) { (name) }
                    @for column in &columns { (cell(column.number(row), column.text(row))) }
                } } }
            }
        }
        @if more > 0 { p.hint { (more) " more" } }
    }
}

fn cell(value: Option<f64>, text: Option<String>) -> Markup {
    html! {
        @if let (Some(value), Some(text)) = (value, text) { td.num data-v=(value) { (text) } }
        @else { td.none { span.quiet { "none" } } }
    }
}

/// A part at the top of its own tab: its figures, its lists, and what is missing.
pub fn part_head(links: &dyn Links, part: &Part, title: &str) -> Markup {
    html! {
        @if is_known(part) { section.part { h2 { (title) ", over the whole " (links.noun()) } (figures(part, &Terms::Full)) } }
        @for list in part.lists.iter().filter(|list| !list.rows.is_empty()) { (largest(links, part, list)) }
        @for missing in &part.missing { p.empty { (missing) } }
    }
}

/// How figures are named.
enum Terms {
    /// In full, with what each is based on.
    Full,
    /// As short as a card needs; the full term is the tooltip, and stands on the part's tab.
    Short {
        /// Figures that a table below repeats, by the beginning of their names: `failed` for `failed.share`.
        without: Vec<&'static str>,
    },
}

/// The figures that a list of a card repeats: if it has one row, that row is the whole.
fn repeated(list: &List) -> Vec<&'static str> {
    let is_whole = list.rows.len() == 1 && list.more == 0;
    if is_whole { list.shown().iter().map(|column| column.name).collect() } else { Vec::new() }
}

/// `route` of `routes`, `status` of `statuses`.
fn singular(name: &str) -> &str {
    let of_statuses = name.strip_suffix("es").filter(|name| name.ends_with('s'));
    of_statuses.or(name.strip_suffix('s')).unwrap_or(name)
}

/// A term without its conditions.
fn brief(about: &str) -> &str {
    const CONDITIONS: [&str; 3] = [", by ", ", of those ", ", which "];
    let term = about.strip_prefix("Latency, ").unwrap_or(about);
    let end = CONDITIONS.iter().filter_map(|condition| term.find(condition)).min();
    end.and_then(|end| term.get(..end)).unwrap_or(term)
}

/// The figures of a part that have a value.
fn figures(part: &Part, terms: &Terms) -> Markup {
    let is_left_out = |figure: &Figure| match terms {
        Terms::Full => false,
        Terms::Short { without } => without.contains(&figure.name.split('.').next().unwrap_or_default()),
    };
    let full = |figure: &Figure, has_upper: bool| {
        let about = if has_upper { quantity(figure.about) } else { figure.about };
        let source = figure.source.map_or_else(String::new, |source| format!(", by {source}"));
        format!("{about}{source}{}", if figure.partial { " (partial)" } else { "" })
    };
    html! {
        dl.figures {
            @for figure in part.figures.iter().filter(|figure| !is_left_out(figure)) {
                @if let Some(value) = figure.value.filter(|_| lower_of(part, figure).is_none()) {
                    @let upper = upper_of(part, figure);
                    @let full = full(figure, upper.is_some());
                    div.measure {
                        @match terms {
                            Terms::Full => dt { (full) },
                            Terms::Short { .. } => dt title=(full) { (brief(&full)) @if figure.partial && !brief(&full).ends_with("(partial)") { " (partial)" } },
                        }
                        dd {
                            @if let Some(upper) = upper { "between " (show(value, figure.unit)) " and " (upper) }
                            @else { (show(value, figure.unit)) }
                        }
                    }
                }
            }
        }
    }
}

/// The upper bound that belongs to a lower bound (`p50.high` to `p50.low`), as text.
fn upper_of(part: &Part, figure: &Figure) -> Option<String> {
    let name = figure.name.strip_suffix(".low")?;
    Some(show(part.value(&format!("{name}.high"))?, figure.unit))
}

/// The lower bound that belongs to an upper one. Both are then shown together, in the row of the lower one.
fn lower_of(part: &Part, figure: &Figure) -> Option<f64> {
    part.value(&format!("{}.low", figure.name.strip_suffix(".high")?))
}

/// The words for a quantity, without those that make it a lower bound.
fn quantity(about: &str) -> &str {
    about.strip_suffix(", lower bound").unwrap_or(about)
}

/// A list of a part; it opens on a click.
fn largest(links: &dyn Links, part: &Part, list: &List) -> Markup {
    let id = format!("{}-{}", part.id, list.name);
    html! {
        details.largest {
            summary { (list.about) " " span.hint { "over the whole " (links.noun()) } }
            div.toolbar { button.copy type="button" data-copy=(id) hidden { "Copy as CSV" } }
            div.scroll tabindex="0" role="region" aria-label=(list.about) {
                table data-table=(id) data-complete="" {
                    thead { tr {
                        th scope="col" data-column="name" { "name" }
                        @for column in list.columns { th.num scope="col" data-column=(column.name) { (column.name) } }
                    } }
                    tbody { @for (row, name) in list.rows.iter().zip(written(links, list)) { tr {
                        td.name title=(row.name) { (name) }
                        @for (value, column) in row.values.iter().zip(list.columns) {
                            (cell(*value, value.map(|value| show(value, column.unit))))
                        }
                    } } }
                }
            }
            @if list.more > 0 { p.hint { (list.more) " more are not listed." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bounds_are_one_row_whose_words_speak_of_neither() {
        let mut part = Part::new("requests");
        part.figure("p50.low", Some(1.0), "ms", "Latency, p50, lower bound");
        part.figure("p50.high", Some(2.0), "ms", "Latency, p50, upper bound");
        let html = figures(&part, &Terms::Full).into_string();
        assert!(html.contains("Latency, p50<") && html.contains("between 1 ms and 2 ms"), "{html}");
        assert!(!html.contains("bound"), "{html}");
    }

    #[test]
    fn a_card_names_figures_shortly_and_leaves_out_those_of_its_only_route() {
        assert_eq!(brief("Latency, p50, by the meter"), "p50");
        // A meter's first count is not the start, so it stays.
        assert_eq!(
            brief("Requests in flight at the start (first count), of those that began"),
            "Requests in flight at the start (first count)"
        );
        let mut part = Part::new("requests");
        part.figure("p99", Some(3.0), "ms", "Latency, p99");
        part.figure("p90", Some(2.0), "ms", "Latency, p90");
        let html = figures(&part, &Terms::Short { without: vec!["p99"] }).into_string();
        assert!(html.contains("title=\"Latency, p90\">p90<") && !html.contains("p99"), "{html}");
    }
}

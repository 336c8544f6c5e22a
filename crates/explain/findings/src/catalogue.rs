//! The rules as a page: `docs/findings.md`.

use crate::links::effects_of;
use crate::need::{Need, remedy};
use crate::rule::Rule;
use report::SCORE;
use report::unit::show;

/// The page, in Markdown.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Findings\n\nWhat `casebook explain` can find, and how it decides. `cargo xtask docs` writes this page from the \
         rules themselves.\n\nSome events are recorded only part of the time: samples, for example, for 200 ms every 2 s. Rates, \
         averages and shares of the time refer to the part in which their events were recorded, the *observed time*. *Busy* samples are of threads that run, or are in native code \
         within their work.\n\nA rule \
         reports something only if all its thresholds are reached, or one of them where its source says that one is enough. \
         If a recording lacks the data of a rule, the rule is listed under `not_checked` with what to record.\n\n",
    );
    page.extend([SCORE, "\n\n| finding | reported when |\n|---|---|\n"]);
    for rule in crate::RULES {
        page.extend(["| [", rule.id, "](#", rule.id, ") | ", rule.about, " |\n"]);
    }
    for rule in crate::RULES {
        section(&mut page, rule);
    }
    verdict(&mut page);
    page
}

/// How one rule decides, in Markdown: its section of the page.
pub fn rule_as_markdown(rule: &Rule) -> String {
    let mut text = String::new();
    section(&mut text, rule);
    text.trim_start().to_owned()
}

/// How the verdict is reached, and when it is `unexplained`.
fn verdict(page: &mut String) {
    use crate::failing::{FEWEST, MANY, MANY_OF_ROUTE};
    use crate::slowness::{EXPLAINED, GREW_BY, SLOW_MS};
    use runtime::{MIN_SHARE, MIN_SLOW, MIN_STUCK, TAIL_MS, TAIL_TIMES};
    let percent = crate::facts::percent;
    page.push_str(
        "\n# The verdict\n\n`problem` if a finding is above `note`; `cannot-judge` if the recording is too short, damaged or \
         poor in data; `unexplained` if something is wrong that no finding explains; else `healthy`, the only all-clear. It is \
         `unexplained` if, in this order:\n\n",
    );
    let rows = [
        format!(
            "**Requests fail**: at least {FEWEST} of them, and {} of all or {} of a route. A request failed if its status is 500 or above, \
             or an exception ended it, unless its client disconnected. From the requests' statuses, the tags of \
             `http.server.request.duration`, or the event counters.",
            percent(MANY),
            percent(MANY_OF_ROUTE)
        ),
        format!(
            "**Requests never end**: at every reading in the second half of the recording, at least {MIN_STUCK} more are in \
             flight than the ended requests' times account for (Little's law). A rising load looks different, as \
             its requests end. WebSockets are left out; server-sent events and long polling look the same."
        ),
        format!(
            "**Requests are slow**: p50 of a route is {SLOW_MS} ms or more, and less than {} of the time of slow requests is \
             explained by CPU, GC, locks, the pool's queue, databases and outgoing calls.",
            percent(EXPLAINED)
        ),
        format!(
            "**A part of the requests is slow**: at least {MIN_SLOW} requests and {} of a route take {TAIL_MS} ms or more and \
             {TAIL_TIMES} times its p50, in more than one interval, without the first one (code is compiled there), and less than \
             {} of their time is explained.",
            percent(MIN_SHARE),
            percent(EXPLAINED)
        ),
        format!(
            "**A queue grows** from each quarter of the recording to the next, by {GREW_BY} or more: the thread pool's, Kestrel's, or the \
             requests in flight, unless just as many more of them end."
        ),
    ];
    for row in rows {
        page.extend(["- ", &row, "\n"]);
    }
    page.push_str(
        "\nA pattern of `--my` that matches no method of the recording is ignored, and the verdict says so; patterns of the \
         configuration only if none of them matches. Without a matching pattern, your code is everything that is neither .NET's nor a \
         known package's.\n",
    );
}

fn section(page: &mut String, rule: &Rule) {
    let mut line = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    line(format!("\n## {}\n", rule.id));
    line(format!("Reported when {}.\n", rule.about));
    line(format!("**How it comes about.** {}\n", rule.why));
    line(String::from("| measured | threshold | source |\n|---|---|---|"));
    for threshold in rule.thresholds {
        line(format!(
            "| {} | {} | {} |",
            threshold.name,
            show(threshold.value, threshold.unit),
            threshold.source
        ));
    }
    line(format!("\n**Needs** {}.\n", remedy(rule.needs, Need::what)));
    line(format!("**Silent** {}.\n", rule.silent));
    line(String::from("**Try**\n"));
    rule.tries.iter().for_each(|text| line(format!("- {text}")));
    line(format!("\n**Verify.** {}", rule.verify));
    let linked = |ids: &mut dyn Iterator<Item = &'static str>| -> String {
        ids.map(|id| format!("[{id}](#{id})")).collect::<Vec<_>>().join(", ")
    };
    if !rule.before.is_empty() {
        line(format!(
            "\nIf any of these is found too, it is listed below this finding: {}.",
            linked(&mut rule.before.iter().copied())
        ));
    }
    let caused = linked(&mut effects_of(rule.id));
    if !caused.is_empty() {
        line(format!("\nIt can cause: {caused}. This is only said if the evidence of both findings agrees."));
    }
}

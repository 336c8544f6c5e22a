//! The rules as a page: `docs/findings.md`.

use crate::links::effects_of;
use crate::rule::Rule;
use report::unit::show;

/// The page, in Markdown.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Findings\n\nWhat `casebook explain` can find, and how it decides. This page is written by `cargo xtask docs` from the \
         rules themselves.\n\nRates and shares are of the time observed. A rule says nothing below its thresholds; where a \
         recording lacks the data that a rule needs, the rule is listed under `not_checked` with what to record.\n\n\
         | finding | is said when |\n|---|---|\n",
    );
    for rule in crate::RULES {
        page.extend(["| [", rule.id, "](#", rule.id, ") | ", rule.about, " |\n"]);
    }
    for rule in crate::RULES {
        section(&mut page, rule);
    }
    page
}

fn section(page: &mut String, rule: &Rule) {
    let mut line = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    line(format!("\n## {}\n", rule.id));
    line(format!("Said when {}.\n", rule.about));
    line(format!("**How it comes about.** {}\n", rule.why));
    line(String::from("| measured | from | source |\n|---|---|---|"));
    for threshold in rule.thresholds {
        line(format!(
            "| {} | {} | {} |",
            threshold.name,
            show(threshold.value, threshold.unit),
            threshold.source
        ));
    }
    let needs: Vec<&str> = rule.needs.iter().map(|need| need.remedy()).collect();
    line(format!("\n**Needs** {}.\n", needs.join("; or ")));
    line(format!("**Silent** {}.\n", rule.silent));
    line(String::from("**Try**\n"));
    rule.tries.iter().for_each(|text| line(format!("- {text}")));
    line(format!("\n**Verify.** {}", rule.verify));
    let linked = |ids: &mut dyn Iterator<Item = &'static str>| -> String {
        ids.map(|id| format!("[{id}](#{id})")).collect::<Vec<_>>().join(", ")
    };
    if !rule.before.is_empty() {
        line(format!("\nIs said before: {}.", linked(&mut rule.before.iter().copied())));
    }
    let caused = linked(&mut effects_of(rule.id));
    if !caused.is_empty() {
        line(format!("\nCauses, where the evidence of both agrees: {caused}."));
    }
}

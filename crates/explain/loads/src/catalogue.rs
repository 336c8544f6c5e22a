//! The rules of load runs as Markdown: the second half of `docs/findings.md`.

use crate::rule::Rule;
use crate::rules::RULES;
use report::unit::show;

/// All rules, in Markdown.
pub fn markdown() -> String {
    let mut page = String::from(
        "\n# Findings of load runs\n\nWhat `casebook explain` can find in a load run. Latency counts from when a request was due by the \
         schedule; in a closed loop, which has no schedule, from when it was sent. A second in which the generator itself was late is \
         never held against the service. A rule reports something only if all its thresholds are reached, or one of them where \
         its source says that one is enough.\n\n| finding | reported when |\n|---|---|\n",
    );
    for rule in RULES {
        page.extend(["| [", rule.id, "](#", rule.id, ") | ", rule.about, " |\n"]);
    }
    for rule in RULES {
        section(&mut page, rule);
    }
    page
}

/// How one rule decides, in Markdown.
pub fn rule_as_markdown(rule: &Rule) -> String {
    let mut text = String::new();
    section(&mut text, rule);
    text.trim_start().to_owned()
}

fn section(page: &mut String, rule: &Rule) {
    let mut line = |text: String| page.extend([text.as_str(), "\n"]);
    line(format!("\n## {}\n", rule.id));
    line(format!("Reported when {}.\n", rule.about));
    line(format!("**How it comes about.** {}\n", rule.why));
    line(String::from("| measured | threshold | source |\n|---|---|---|"));
    for of in rule.thresholds {
        line(format!("| {} | {} | {} |", of.name, show(of.value, of.unit), of.source));
    }
    line(format!("\n**Silent** {}.\n", rule.silent));
    line(String::from("**Try**\n"));
    for text in rule.tries {
        line(format!("- {text}"));
    }
    line(format!("\n**Verify.** {}", rule.verify));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_says_what_it_measures_how_it_comes_about_and_what_to_do() {
        for rule in RULES {
            let texts = [rule.about, rule.silent, rule.why, rule.verify, rule.view.tab, rule.view.shows];
            assert!(texts.iter().all(|text| !text.trim().is_empty()), "{}: an empty text", rule.id);
            assert!(!rule.tries.is_empty() && !rule.thresholds.is_empty(), "{}", rule.id);
            assert!(rule.thresholds.iter().all(|of| of.value > 0.0 && !of.source.is_empty()), "{}", rule.id);
            assert!(markdown().contains(&rule_as_markdown(rule)), "{}", rule.id);
        }
    }
}

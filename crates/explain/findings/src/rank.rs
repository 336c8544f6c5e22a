//! The order of findings: by severity, then by [`score`](crate::score), and causes before their symptoms.
//!
//! A finding is left out if another rule sees the same harm more exactly. A symptom gets no higher severity than its cause,
//! and a lower score. It is reported as its effect only if a [link](crate::links) between them holds.

use crate::links::cause_of;
use crate::rule::Rule;
use report::{Finding, Severity};

/// A symptom's score is below this share of its cause's.
const BEHIND: f64 = 0.95;

/// Puts what the rules found in order.
pub(crate) fn rank(mut found: Vec<(&'static Rule, Finding)>) -> Vec<Finding> {
    let notable = |list: &[(&'static Rule, Finding)]| -> Vec<(&'static Rule, Severity, f64)> {
        let notable = list.iter().filter(|(_, finding)| finding.severity > Severity::Note);
        notable.map(|(rule, finding)| (*rule, finding.severity, finding.score)).collect()
    };
    let absorbing = notable(&found);
    found.retain(|(rule, _)| !absorbing.iter().any(|(of, ..)| of.absorbs.contains(&rule.id)));
    // Repeated for symptoms of symptoms. A chain is no longer than the list.
    for _ in 0..found.len() {
        let first = notable(&found);
        let mut changed = false;
        for (rule, finding) in &mut found {
            for (cause, severity, score) in &first {
                if !cause.before.contains(&rule.id) {
                    continue;
                }
                let (least, behind) = (finding.severity.min(*severity), score * BEHIND);
                if least < finding.severity || (least == *severity && finding.score > behind) {
                    finding.severity = least;
                    finding.score = finding.score.min(behind);
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    let mut findings: Vec<Finding> = found.into_iter().map(|(_, finding)| finding).collect();
    let notable: Vec<Finding> = findings.iter().filter(|of| of.severity > Severity::Note).cloned().collect();
    for finding in &mut findings {
        finding.follows = cause_of(finding, &notable);
    }
    findings.sort_by(|a, b| {
        let by_harm = b.severity.cmp(&a.severity).then_with(|| b.score.total_cmp(&a.score));
        by_harm.then_with(|| a.id.cmp(b.id))
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Found;
    use crate::score::{Harm, Sure};
    use Severity::{Critical, Note, Warning};

    const fn rule(
        id: &'static str,
        before: &'static [&'static str],
        absorbs: &'static [&'static str],
    ) -> Rule {
        Rule {
            id,
            about: "",
            needs: &[],
            thresholds: &[],
            silent: "",
            why: "",
            tries: &[],
            verify: "",
            places_of: "",
            view: report::View { shows: "", lane: "", tab: "/sql", metric: None },
            before,
            absorbs,
            check: |_| None,
        }
    }

    static ROOT: Rule = rule("root", &["middle"], &[]);
    static MIDDLE: Rule = rule("middle", &["leaf"], &[]);
    static LEAF: Rule = rule("leaf", &[], &[]);
    static EXACT: Rule = rule("exact", &[], &["leaf", "middle"]);
    static OTHER: Rule = rule("other", &[], &[]);

    /// Findings in any order, and the expected order, with scores in hundredths.
    fn check(found: &[(&'static Rule, Severity, f64)], expected: &[(&str, Severity, u32)]) {
        let finding = |severity, score| Found {
            title: String::new(),
            severity,
            harms: vec![Harm::Share(score)],
            sure: Sure::Seen,
            measured: Vec::new(),
            places: Vec::new(),
            evidence: Vec::new(),
        };
        let list: Vec<_> = found
            .iter()
            .map(|(rule, severity, score)| (*rule, rule.finding(finding(*severity, *score))))
            .collect();
        for list in [list.clone(), list.into_iter().rev().collect()] {
            let ranked = rank(list);
            let got: Vec<_> =
                ranked.iter().map(|of| (of.id, of.severity, format!("{:.0}", of.score * 100.0))).collect();
            let expected: Vec<_> =
                expected.iter().map(|(id, severity, score)| (*id, *severity, score.to_string())).collect();
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn what_is_worse_and_explains_more_comes_first_and_equals_by_name() {
        check(
            &[(&LEAF, Note, 1.0), (&ROOT, Warning, 0.2), (&OTHER, Critical, 0.1), (&EXACT, Note, 1.0)],
            &[("other", Critical, 10), ("root", Warning, 20), ("exact", Note, 100), ("leaf", Note, 100)],
        );
    }

    #[test]
    fn a_symptom_is_no_worse_than_its_cause_and_stands_behind_it() {
        check(
            &[(&ROOT, Warning, 0.4), (&MIDDLE, Critical, 0.9)],
            &[("root", Warning, 40), ("middle", Warning, 38)],
        );
        check(
            &[(&ROOT, Critical, 0.4), (&MIDDLE, Warning, 0.9)],
            &[("root", Critical, 40), ("middle", Warning, 90)],
        );
    }

    #[test]
    fn a_symptom_of_a_symptom_comes_last() {
        check(
            &[(&LEAF, Critical, 0.9), (&MIDDLE, Critical, 0.9), (&ROOT, Warning, 0.5)],
            &[("root", Warning, 50), ("middle", Warning, 48), ("leaf", Warning, 45)],
        );
    }

    #[test]
    fn a_note_stands_before_nothing_and_absorbs_nothing() {
        check(
            &[(&ROOT, Note, 0.4), (&MIDDLE, Critical, 0.9)],
            &[("middle", Critical, 90), ("root", Note, 40)],
        );
        check(&[(&EXACT, Note, 0.4), (&LEAF, Warning, 0.9)], &[("leaf", Warning, 90), ("exact", Note, 40)]);
    }

    #[test]
    fn what_another_sees_more_exactly_is_left_out() {
        check(
            &[(&EXACT, Warning, 0.4), (&LEAF, Critical, 0.9), (&OTHER, Note, 0.1)],
            &[("exact", Warning, 40), ("other", Note, 10)],
        );
    }

    #[test]
    fn damaged_shares_do_not_lead() {
        check(
            &[(&LEAF, Warning, f64::NAN), (&ROOT, Warning, 7.0)],
            &[("root", Warning, 100), ("leaf", Warning, 0)],
        );
    }
}

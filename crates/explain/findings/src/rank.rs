//! The order of findings: causes before symptoms, then by severity and by the share of the harm that each explains.
//!
//! Where a rule sees the same harm more exactly than another, the other is left out. Where one harm causes another,
//! the other stands behind it and is no worse than it.

use crate::finding::{Finding, Severity};
use crate::rule::Rule;

/// Orders what the rules found.
pub(crate) fn rank(mut found: Vec<(&'static Rule, Finding)>) -> Vec<Finding> {
    let notable = |list: &[(&'static Rule, Finding)]| -> Vec<(&'static Rule, Severity, f64)> {
        let notable = list.iter().filter(|(_, finding)| finding.severity > Severity::Note);
        notable.map(|(rule, finding)| (*rule, finding.severity, finding.score)).collect()
    };
    let absorbing = notable(&found);
    found.retain(|(rule, _)| !absorbing.iter().any(|(of, ..)| of.absorbs.contains(&rule.id)));
    // A symptom of a symptom comes last of the three: as often as there are rules at most.
    for _ in 0..found.len() {
        let causes = notable(&found);
        let mut changed = false;
        for (rule, finding) in &mut found {
            for (cause, severity, score) in &causes {
                if !cause.causes.contains(&rule.id) {
                    continue;
                }
                if finding.follows.is_none() {
                    finding.follows = Some(cause.id);
                }
                let (least, behind) = (finding.severity.min(*severity), score * 0.95);
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
    findings.sort_by(|a, b| {
        let by_harm = b.severity.cmp(&a.severity).then_with(|| b.score.total_cmp(&a.score));
        by_harm.then_with(|| a.id.cmp(b.id))
    });
    findings
}

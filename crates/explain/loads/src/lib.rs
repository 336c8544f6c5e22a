//! Load runs explained: figures, findings by rules, a verdict, and what pictures show.
//!
//! ```text
//! seconds ────┐             ┌─► rules (thresholds, mechanism, advice) ─► findings ─► verdict
//! histogram ──┼─► facts ────┤
//! metrics ────┘  stillness  ├─► figures
//!                           └─► pictures, lanes over time
//! ```
//!
//! Latency counts from the schedule if there was one, else from the send. A time when the generator itself was late is never
//! held against the service. Nothing here prints.

mod catalogue;
mod facts;
mod figures;
mod heading;
mod intervals;
mod lanes;
mod pictures;
mod rule;
mod rules;
mod stillness;
#[cfg(test)]
mod testing;
mod verdict;

pub use catalogue::{markdown, rule_as_markdown};
pub use heading::heading;
pub use lanes::{lanes, whole};
pub use pictures::{Course, Pictures, courses, pictures};
pub use rule::Rule;
pub use rules::RULES;

use facts::Facts;
use model::Load;
use report::{Explanation, Finding, NotChecked, Report, Severity};

/// Explains a load run.
pub fn explanation(load: &Load) -> Explanation {
    let mut facts = Facts::new(load);
    facts.stalls = stillness::stalls(&facts);
    let report = report_of(&facts);
    let verdict = verdict::verdict(&report, &facts);
    Explanation { heading: heading(load), verdict: Some(verdict), report, parts: figures::parts(&facts) }
}

/// What the rules say, the worst first.
fn report_of(facts: &Facts<'_>) -> Report {
    let mut report = Report::default();
    for rule in RULES {
        if let Err(needs) = (rule.needs)(facts) {
            report.not_checked.push(NotChecked { id: rule.id, needs: needs.to_owned() });
            continue;
        }
        report.checked.push(rule.id);
        report.findings.extend((rule.check)(facts).map(|found| rule.finding(found)));
    }
    let causes: Vec<&'static str> =
        report.findings.iter().filter(|of| of.severity > Severity::Note).map(|of| of.id).collect();
    for finding in &mut report.findings {
        finding.follows = cause_of(finding.id, &causes);
    }
    if facts.load.run.clock.is_some() {
        // The service was recorded during this run: that advice is followed.
        report.findings.iter_mut().for_each(|of| of.tries.retain(|advice| !advice.contains("--record")));
    }
    // Causes come before what they cause; the sort keeps the order of the rules.
    report.findings.sort_by_key(|of: &Finding| (std::cmp::Reverse(of.severity), of.follows.is_some()));
    report
}

/// Which of the found rules causes another one.
fn cause_of(id: &str, found: &[&'static str]) -> Option<&'static str> {
    let of = |causes: &[&'static str]| causes.iter().copied().find(|cause| found.contains(cause));
    match id {
        "load-timeouts" => of(&["load-stalls", "load-saturated"]),
        "load-not-steady" => of(&["load-saturated", "load-stalls", "load-generator-late"]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Run;
    use super::*;
    use report::State;

    fn found(run: &Run) -> Vec<&'static str> {
        let explanation = explanation(&run.load());
        let above = explanation.report.findings.iter().filter(|of| of.severity > Severity::Note);
        above.map(|of| of.id).collect()
    }

    #[test]
    fn a_quick_service_is_healthy_and_every_rule_could_run() {
        let explanation = explanation(&Run::steady(30).load());
        let verdict = explanation.verdict.unwrap();
        assert_eq!((verdict.state, verdict.could_not_run), (State::Healthy, 0), "{}", verdict.text);
        assert_eq!(explanation.report.findings, []);
        assert!(verdict.text.contains("200 requests/s") && verdict.text.contains("p99"), "{}", verdict.text);
    }

    #[test]
    fn a_service_that_stops_answering_is_reported_with_its_period() {
        let run = Run::steady(30).stalled(&[2, 7, 12, 17, 22, 27]);
        assert_eq!(found(&run), ["load-stalls"]);
        let text = explanation(&run.load()).verdict.unwrap().text;
        assert_eq!(
            text,
            "p99 is 950 ms because the service stops answering for about 1 s every 5 s; the rate was kept."
        );
    }

    #[test]
    fn a_stall_that_is_longer_than_the_time_out_is_said_to_be_longer() {
        let run = Run::steady(30).stalled_beyond(&[2, 7, 12, 17, 22, 27], 300.0);
        let text = explanation(&run.load()).verdict.unwrap().text;
        assert_eq!(
            text,
            "p99 is 300 ms because the service stops answering for at least 300 ms every 5 s; the rate was kept."
        );
    }

    #[test]
    fn a_short_stop_of_the_generator_does_not_hide_what_the_service_did() {
        let run = Run::saturated(30).metric("client.limited", 1.0).metric("client.stopped_ms", 180.0);
        assert_eq!(found(&run), ["load-saturated"]);
    }

    #[test]
    fn a_latency_that_grows_is_no_all_clear_although_every_request_is_answered() {
        let verdict = explanation(&Run::steady(20).growing(5.0).load()).verdict.unwrap();
        assert_eq!(verdict.state, State::Unexplained, "{}", verdict.text);
        assert!(verdict.text.contains("median latency grew"), "{}", verdict.text);
    }

    #[test]
    fn a_stall_of_several_seconds_has_its_length_and_its_begin() {
        let text = |run: Run| explanation(&run.load()).verdict.unwrap().text;
        let said = text(Run::steady(30).silent(9..12, 1e9));
        assert!(said.contains("stops answering for about 3 s at 9 s"), "{said}");
        // Time-outs of a second end the waits of most requests, not the stall.
        let said = text(Run::steady(30).silent(9..14, 1_000.0));
        assert!(said.contains("stops answering for at least 5 s at 9 s"), "{said}");
        let said = text(Run::steady(30).silent(20..30, 1_000.0));
        assert!(said.contains("stops answering at 20 s, and did not answer again"), "{said}");
        // Without a schedule, too, and however few requests it held up.
        let closed = Run::steady(30).silent(9..12, 1e9).closed();
        assert!(text(closed).contains("stops answering for about 3 s"));
    }

    #[test]
    fn single_slow_requests_are_no_stall() {
        for slow in [10, 20, 40] {
            assert_eq!(found(&Run::steady(30).one_in(slow, 300.0)), ["load-timeouts"], "{slow}");
        }
    }

    #[test]
    fn a_service_that_answers_nothing_is_not_saturated() {
        let all: Vec<usize> = (0..30).collect();
        let run = Run::steady(30).stalled_beyond(&all, 0.1).answering(0.0);
        let run = run.metric("responses", 0.0).metric("timeouts", 5_000.0).metric("unsent", 1_000.0);
        assert_eq!(found(&run), ["load-timeouts"]);
        let text = explanation(&run.load()).verdict.unwrap().text;
        assert!(text.starts_with("No request was answered: 83.3 %"), "{text}");
    }

    #[test]
    fn a_generator_that_is_stopped_is_not_held_against_the_service() {
        let run = Run::steady(30).stalled(&[12]).late(&[12], 990);
        assert_eq!(found(&run), ["load-generator-late"]);
    }

    #[test]
    fn a_service_that_cannot_keep_up_is_saturated_and_not_still() {
        assert_eq!(found(&Run::saturated(30)), ["load-saturated"]);
        // Far beyond the capacity, little of what waits is answered in each second.
        assert_eq!(found(&Run::saturated(30).answering(10.0)), ["load-saturated"]);
    }

    #[test]
    fn errors_and_time_outs_are_told_by_kind() {
        let run = Run::steady(30)
            .metric("errors.refused", 120.0)
            .metric("errors", 120.0)
            .metric("responses", 5880.0);
        assert_eq!(found(&run), ["load-errors"]);
        let run = Run::steady(30).metric("failed_checks", 60.0).metric("failed_responses", 60.0);
        assert_eq!(found(&run), ["load-errors"]);
        let run =
            Run::steady(30).metric("timeouts", 60.0).metric("timeout_ms", 500.0).metric("responses", 5940.0);
        assert_eq!(found(&run), ["load-timeouts"]);
    }

    #[test]
    fn requests_that_no_connection_was_free_for_are_a_saturated_service_whatever_the_latency_did() {
        let run = || Run::steady(30).answering(100.0).metric("responses", 3_000.0).metric("unsent", 3_000.0);
        assert_eq!(found(&run()), ["load-saturated"]);
        let text = explanation(&run().load()).verdict.unwrap().text;
        assert!(text.contains("50 % of the requests were never sent"), "{text}");
        // Steps of flows that were never due say nothing about connections.
        let run = Run::steady(30).metric("unsent", 600.0).metric("unsent_because.earlier-request", 600.0);
        assert_eq!(found(&run), [""; 0]);
    }

    #[test]
    fn what_the_user_cut_off_is_no_error_of_the_service() {
        let run = Run::steady(30).metric("errors.interrupted", 50.0).metric("errors", 50.0);
        assert_eq!(found(&run), [""; 0]);
    }

    #[test]
    fn few_answers_or_answers_that_refuse_are_no_all_clear() {
        let verdict = |run: Run| explanation(&run.load()).verdict.unwrap();
        let few = verdict(Run::steady(30).answering(100.0));
        assert_eq!(few.state, State::Unexplained, "{}", few.text);
        let refused = verdict(Run::steady(30).statuses(&[("404", 4_000), ("200", 2_000)]));
        assert_eq!(refused.state, State::Unexplained, "{}", refused.text);
        let some = verdict(Run::steady(30).statuses(&[("404", 60), ("200", 5_940)]));
        assert_eq!(some.state, State::Healthy);
        assert!(some.text.contains("1 % of the answers have a status of 400 to 499"), "{}", some.text);
    }

    #[test]
    fn too_few_requests_for_a_percentile_are_no_all_clear() {
        let verdict = explanation(&Run::steady(2).load()).verdict.unwrap();
        assert_eq!(verdict.state, State::CannotJudge, "{}", verdict.text);
    }

    #[test]
    fn nothing_at_all_is_no_all_clear_and_no_panic() {
        let explanation = explanation(&Load::default());
        assert_eq!(explanation.verdict.map(|of| of.state), Some(State::CannotJudge));
        assert_eq!(explanation.report.checked, [""; 0]);
    }
}

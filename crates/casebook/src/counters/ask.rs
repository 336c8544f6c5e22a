//! Which counters a session asks for, and which of the values that come are shown.
//!
//! A name can be that of an event source, of a meter, or of both, so a session asks for both. If a meter answers, the event
//! source of the same name is not shown. Whether one answers is clear only after the first values, so the values of an event
//! source are held until then.

use base::number::saturated;
use dotnet_ipc::session::Provider;
use import::{CounterReading, CounterSource};
use std::collections::BTreeMap;
use std::time::Duration;

/// The maximum number of held values of one event source.
const MAX_HELD: usize = 10_000;
/// The event source that publishes all meters. It has no counters of its own.
const METRICS: &str = "System.Diagnostics.Metrics";

/// A provider, and which of its counters are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) provider: String,
    /// Empty for all of them.
    names: Vec<String>,
    of: Of,
}

/// What has the provider's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    EventSource,
    Meter,
    /// Both are asked. A meter has precedence.
    Either,
}

impl Of {
    fn event_source(self) -> bool {
        self != Self::Meter
    }

    fn meter(self) -> bool {
        self != Self::EventSource
    }
}

impl Wanted {
    fn all(provider: &str, of: Of) -> Self {
        Self { provider: provider.to_owned(), names: Vec::new(), of }
    }

    fn is(&self, reading: &CounterReading) -> bool {
        let of_source = match reading.source {
            CounterSource::EventSource => self.of.event_source(),
            CounterSource::Meter => self.of.meter(),
        };
        let named = |name: &String| name.eq_ignore_ascii_case(&reading.name);
        of_source
            && self.provider.eq_ignore_ascii_case(&reading.provider)
            && (self.names.is_empty() || self.names.iter().any(named))
    }
}

/// The providers of `--counters`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named(pub(super) Vec<Wanted>);

/// Reads `PROVIDER[name,name],PROVIDER,…`.
pub(super) fn parse(text: &str) -> Result<Named, String> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find([',', '[']).unwrap_or(rest.len());
        let (provider, behind) = rest.split_at(end);
        let mut of = Wanted::all(word(provider, text)?, Of::Either);
        if import::sends_events_alone(&of.provider) {
            return Err(format!(
                "{} sends events and has no counters: those of the runtime are in System.Runtime",
                of.provider
            ));
        }
        rest = behind;
        if let Some(inside) = rest.strip_prefix('[') {
            let (names, behind) = inside.split_once(']').ok_or_else(|| {
                format!("`{text}` has a `[` without its `]`: expected PROVIDER[name,name],…")
            })?;
            of.names =
                names.split(',').map(|name| word(name, text).map(str::to_owned)).collect::<Result<_, _>>()?;
            rest = behind.trim_start();
        }
        rest = match rest.strip_prefix(',') {
            Some(behind) => behind.trim_start(),
            None if rest.is_empty() => rest,
            None => return Err(format!("`{text}`: expected a comma after `]`")),
        };
        wanted.push(of);
    }
    if wanted.is_empty() {
        return Err(
            "expected PROVIDER[name,name],…, as in System.Runtime,MyCompany.Orders[queue.length]".to_owned()
        );
    }
    Ok(Named(wanted))
}

/// Checks a name. It becomes part of a provider's arguments, so it must not hold the characters that separate them.
fn word<'a>(name: &'a str, text: &str) -> Result<&'a str, String> {
    let name = name.trim();
    let separates = |c: char| c.is_control() || ";\"\\[]".contains(c);
    if name.is_empty() || name.contains(separates) {
        return Err(format!("`{text}` has `{name}` where a name is expected: PROVIDER[name,name],…"));
    }
    Ok(name)
}

/// The default providers, by the runtime's version, which only .NET 7 and later report.
pub(super) fn usual(runtime: Option<&str>) -> Vec<Wanted> {
    let major = runtime.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    let least = |since: u32| major.is_none_or(|major| major >= since);
    // Libraries have meters from .NET 8 on. If the version is unknown, both are asked.
    let is_old = major.is_none_or(|major| major < 8);
    let of_libraries = match (is_old, least(8)) {
        (true, true) => Of::Either,
        (true, false) => Of::EventSource,
        (false, _) => Of::Meter,
    };
    let mut wanted = vec![
        // The runtime has a meter from .NET 9 on.
        Wanted::all("System.Runtime", if least(9) { Of::Either } else { Of::EventSource }),
        Wanted::all("Microsoft.AspNetCore.Hosting", of_libraries),
        Wanted::all("System.Net.Http", of_libraries),
        Wanted::all("Npgsql", if is_old { Of::Either } else { Of::Meter }),
    ];
    if least(8) {
        wanted.push(Wanted::all("Microsoft.AspNetCore.Server.Kestrel", Of::Meter));
    }
    if is_old {
        wanted.push(Wanted::all("Microsoft-AspNetCore-Server-Kestrel", Of::EventSource));
    }
    wanted
}

/// The providers of the session.
pub(super) fn providers(wanted: &[Wanted], interval: Duration) -> Vec<Provider> {
    const CRITICAL: u32 = 1;
    let mut providers: Vec<Provider> = Vec::new();
    for of in wanted.iter().filter(|of| of.of.event_source() && !of.provider.eq_ignore_ascii_case(METRICS)) {
        if providers.iter().any(|known| known.name.eq_ignore_ascii_case(&of.provider)) {
            continue;
        }
        providers.push(Provider {
            name: of.provider.clone(),
            // Counters come with any keywords and level. These keep its other events away.
            keywords: 0,
            level: CRITICAL,
            arguments: format!("EventCounterIntervalSec={}", interval.as_secs_f64()),
        });
    }
    let meters: Vec<String> = wanted.iter().filter(|of| of.of.meter()).flat_map(specifications).collect();
    if !meters.is_empty() {
        providers.push(recorder::profile::meters(&meters.join(","), interval));
    }
    providers
}

/// How to ask for a meter: `Meter`, or `Meter\Instrument` for each named counter.
fn specifications(wanted: &Wanted) -> Vec<String> {
    let provider = &wanted.provider;
    if wanted.names.is_empty() {
        return vec![provider.clone()];
    }
    wanted.names.iter().map(|name| format!("{provider}\\{name}")).collect()
}

/// Nanoseconds. More than 64 bits hold, 292 years, are as good as no end.
pub(super) fn nanos(time: Duration) -> i64 {
    saturated(time.as_nanos())
}

/// An event source and a meter of the same name.
#[derive(Debug, Default)]
struct Rivals {
    /// When the event source's first value came.
    first_ns: Option<i64>,
    meter_answers: bool,
    /// Values of the event source, while a meter may still answer.
    held: Vec<CounterReading>,
}

/// Passes the values that are wanted.
#[derive(Debug)]
pub(super) struct Choice {
    wanted: Vec<Wanted>,
    /// How long a meter has to answer.
    patience_ns: i64,
    /// By provider, in lower case.
    rivals: BTreeMap<String, Rivals>,
}

impl Choice {
    pub(super) fn new(wanted: Vec<Wanted>, interval: Duration) -> Self {
        let patience = interval.saturating_mul(2).saturating_add(Duration::from_millis(500));
        let both = wanted.iter().filter(|of| of.of == Of::Either);
        let rivals = both.map(|of| (of.provider.to_lowercase(), Rivals::default())).collect();
        Self { wanted, patience_ns: nanos(patience), rivals }
    }

    /// Whether the value was asked for.
    pub(super) fn wants(&self, reading: &CounterReading) -> bool {
        self.wanted.iter().any(|of| of.is(reading))
    }

    /// Takes values as they come. Returns those to show now, among them values that were held.
    pub(super) fn pass(&mut self, readings: Vec<CounterReading>) -> Vec<CounterReading> {
        let mut shown = Vec::new();
        for reading in readings {
            let Self { wanted, patience_ns, rivals } = self;
            if !wanted.iter().any(|of| of.is(&reading)) {
                continue;
            }
            let Some(rivals) = rivals.get_mut(&reading.provider.to_lowercase()) else {
                shown.push(reading);
                continue;
            };
            if reading.source == CounterSource::Meter {
                rivals.meter_answers = true;
                rivals.held.clear();
                shown.push(reading);
            } else if !rivals.meter_answers {
                let first = *rivals.first_ns.get_or_insert(reading.ts_ns);
                let waited = reading.ts_ns.saturating_sub(first);
                rivals.held.push(reading);
                if waited > *patience_ns || rivals.held.len() > MAX_HELD {
                    shown.append(&mut rivals.held);
                }
            }
        }
        shown
    }

    /// The values that are still held when the session ends: no meter has answered.
    pub(super) fn rest(&mut self) -> Vec<CounterReading> {
        self.rivals.values_mut().flat_map(|rivals| std::mem::take(&mut rivals.held)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, &[&str])], &str>) {
        let parsed = parse(text);
        let parsed = parsed.as_ref().map(|named| {
            let names = |of: &Wanted| of.names.clone();
            named.0.iter().map(|of| (of.provider.clone(), names(of))).collect::<Vec<_>>()
        });
        let expected = expected.map(|list| {
            let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            list.iter().map(|(provider, of)| ((*provider).to_owned(), names(of))).collect::<Vec<_>>()
        });
        assert_eq!(parsed.as_ref().map_err(|text| text.as_str()), expected.as_ref().map_err(|of| *of));
    }

    #[test]
    fn providers_are_named_with_or_without_their_counters() {
        check("System.Runtime", Ok(&[("System.Runtime", &[])]));
        check("A[x, y] , B,C[z]", Ok(&[("A", &["x", "y"]), ("B", &[]), ("C", &["z"])]));
        check("A[x", Err("`A[x` has a `[` without its `]`: expected PROVIDER[name,name],…"));
        check("A[x]B", Err("`A[x]B`: expected a comma after `]`"));
        check(
            "A;SessionId=1",
            Err("`A;SessionId=1` has `A;SessionId=1` where a name is expected: PROVIDER[name,name],…"),
        );
        check("A,,B", Err("`A,,B` has `` where a name is expected: PROVIDER[name,name],…"));
        check("A[]", Err("`A[]` has `` where a name is expected: PROVIDER[name,name],…"));
        check(
            "A,Microsoft-Windows-DotNETRuntime",
            Err(
                "Microsoft-Windows-DotNETRuntime sends events and has no counters: those of the runtime are in System.Runtime",
            ),
        );
        check("", Err("expected PROVIDER[name,name],…, as in System.Runtime,MyCompany.Orders[queue.length]"));
    }

    #[test]
    fn old_runtimes_are_asked_for_event_counters_and_new_ones_for_meters() {
        let asked = |runtime: Option<&str>| {
            let shown = |of: &Provider| match of.name.as_str() {
                METRICS => {
                    of.arguments.split(';').find(|part| part.starts_with("Metrics=")).unwrap().to_owned()
                }
                name => format!("{name} {}", of.arguments),
            };
            providers(&usual(runtime), Duration::from_millis(500)).iter().map(shown).collect::<Vec<_>>()
        };
        let interval = "EventCounterIntervalSec=0.5";
        assert_eq!(asked(Some("10.0.12")), [
            format!("System.Runtime {interval}"),
            "Metrics=System.Runtime,Microsoft.AspNetCore.Hosting,System.Net.Http,Npgsql,Microsoft.AspNetCore.Server.Kestrel".to_owned(),
        ]);
        assert_eq!(
            asked(Some("8.0.30"))[1],
            "Metrics=Microsoft.AspNetCore.Hosting,System.Net.Http,Npgsql,Microsoft.AspNetCore.Server.Kestrel"
        );
        assert_eq!(asked(Some("7.0.1"))[5], "Metrics=Npgsql");
        assert_eq!(asked(None).len(), 6);
    }

    #[test]
    fn a_filter_asks_a_meter_for_the_named_instruments_only() {
        let named = parse("My[a,b],Other").unwrap().0;
        let asked = providers(&named, Duration::from_secs(1));
        assert_eq!(asked.iter().map(|of| of.name.as_str()).collect::<Vec<_>>(), ["My", "Other", METRICS]);
        assert!(asked[2].arguments.contains("Metrics=My\\a,My\\b,Other;"), "{}", asked[2].arguments);
    }

    fn reading(source: CounterSource, name: &str, seconds: i64) -> CounterReading {
        CounterReading {
            ts_ns: seconds * 1_000_000_000,
            source,
            provider: "System.Runtime".to_owned(),
            name: name.to_owned(),
            unit: String::new(),
            kind: "value".into(),
            value: 1.0,
            tags: "{}".to_owned(),
            is_change: false,
        }
    }

    #[test]
    fn a_meter_replaces_the_event_source_of_its_name() {
        use CounterSource::{EventSource, Meter};
        let mut choice = Choice::new(usual(Some("10.0.12")), Duration::from_secs(1));
        let mut pass = |readings: &[(CounterSource, &str, i64)]| {
            let readings = readings.iter().map(|(source, name, at)| reading(*source, name, *at));
            choice.pass(readings.collect()).into_iter().map(|of| of.name).collect::<Vec<_>>()
        };
        assert_eq!(pass(&[(EventSource, "cpu-usage", 1)]), [""; 0]);
        assert_eq!(
            pass(&[(Meter, "dotnet.gc.collections", 2), (EventSource, "cpu-usage", 2)]),
            ["dotnet.gc.collections"]
        );
        assert_eq!(choice.rest(), []);
    }

    #[test]
    fn an_event_source_is_shown_if_no_meter_answers() {
        let mut choice = Choice::new(usual(Some("10.0.12")), Duration::from_secs(1));
        let mut at =
            |seconds| choice.pass(vec![reading(CounterSource::EventSource, "cpu-usage", seconds)]).len();
        assert_eq!([1, 2, 3, 4, 5].map(&mut at), [0, 0, 0, 4, 1]);
        let mut ended = Choice::new(usual(None), Duration::from_secs(1));
        ended.pass(vec![reading(CounterSource::EventSource, "cpu-usage", 1)]);
        assert_eq!(ended.rest().len(), 1);
    }
}

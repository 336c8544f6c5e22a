//! Profiles: what a recording asks the runtime for.
//!
//! A profile is one session that lasts as long as the recording, and, for most, a second one that is short and comes
//! again and again: the sampler stops the program hundreds of times a second, so it runs in bursts, together with
//! everything else that costs by the request. What each costs was measured on a service that saturates its processors;
//! the figures stand in [`Profile::cost`].

use dotnet_ipc::session::Provider;
use std::time::Duration;
use thiserror::Error;

const RUNTIME: &str = "Microsoft-Windows-DotNETRuntime";

/// Keywords of the runtime's provider, by their names in `ClrTraceEventParser.cs` of microsoft/perfview.
mod keyword {
    pub(super) const GC: u64 = 0x1;
    pub(super) const LOADER: u64 = 0x8;
    pub(super) const JIT: u64 = 0x10;
    pub(super) const NGEN: u64 = 0x20;
    pub(super) const CONTENTION: u64 = 0x4000;
    pub(super) const EXCEPTION: u64 = 0x8000;
    pub(super) const THREADING: u64 = 0x1_0000;
    pub(super) const TYPE: u64 = 0x8_0000;
    pub(super) const STACK: u64 = 0x4000_0000;
    pub(super) const COMPILATION: u64 = 0x10_0000_0000;
    pub(super) const COMPILATION_DIAGNOSTIC: u64 = 0x20_0000_0000;
    pub(super) const WAIT_HANDLE: u64 = 0x400_0000_0000;
    pub(super) const ALLOCATION_SAMPLING: u64 = 0x800_0000_0000;
}

/// What every profile but `light` asks of the runtime when it asks for all.
const EVERYTHING: u64 = keyword::GC
    | keyword::LOADER
    | keyword::JIT
    | keyword::NGEN
    | keyword::CONTENTION
    | keyword::EXCEPTION
    | keyword::THREADING
    | keyword::TYPE
    | keyword::STACK
    | keyword::COMPILATION
    | keyword::WAIT_HANDLE
    | keyword::ALLOCATION_SAMPLING;
/// What may be on all the time: it costs by the collection, the lock waited for, the exception, the method compiled and
/// the 100 kB allocated, not by the request.
const STEADY: u64 = keyword::GC
    | keyword::LOADER
    | keyword::JIT
    | keyword::CONTENTION
    | keyword::EXCEPTION
    | keyword::THREADING
    | keyword::COMPILATION
    | keyword::ALLOCATION_SAMPLING;
const LIGHT: u64 = keyword::GC | keyword::CONTENTION | keyword::EXCEPTION | keyword::THREADING;
const ALL: u64 = u64::MAX;
const INFORMATIONAL: u32 = 4;
const VERBOSE: u32 = 5;

/// The meters of the runtime and its usual libraries.
const METERS: &str =
    "Microsoft.AspNetCore.Hosting,Microsoft.AspNetCore.Server.Kestrel,Npgsql,System.Net.Http,System.Runtime";
/// Every span, with its tags and without what would make it ten times as long.
const SPANS: &str = "FilterAndPayloadSpecs=\"[AS]*:-Id;ParentId;DisplayName;Kind;Duration;Status;Tags=TagObjects.*Enumerate\"";

/// A named set of what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// What most questions need, at a cost for production.
    Default,
    /// Events and counters without samples.
    Light,
    /// Samples all the time.
    Cpu,
    /// Each request and each call that it makes.
    Requests,
    /// Requests, and log lines.
    Logs,
    /// Everything from the first instruction on.
    Startup,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Default, Self::Light, Self::Cpu, Self::Requests, Self::Logs, Self::Startup];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Light => "light",
            Self::Cpu => "cpu",
            Self::Requests => "requests",
            Self::Logs => "logs",
            Self::Startup => "startup",
        }
    }

    /// The profile of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// What it is for.
    pub fn about(self) -> &'static str {
        match self {
            Self::Default => "what most questions need: events all the time, samples in bursts",
            Self::Light => "collections, locks, exceptions, thread pool, counters; no samples",
            Self::Cpu => "samples all the time, for methods that take little",
            Self::Requests => "each request and each call that it makes, with samples in bursts",
            Self::Logs => "requests, and every log line",
            Self::Startup => "everything from the first instruction on; with `record -- COMMAND`",
        }
    }

    /// The share of its throughput that a service which saturates its processors keeps, as measured.
    pub fn kept(self) -> f64 {
        match self {
            Self::Default => 0.95,
            Self::Light => 0.97,
            Self::Cpu | Self::Startup => 0.77,
            Self::Requests => 0.82,
            Self::Logs => 0.70,
        }
    }

    /// Whether it costs a saturated service more than a tenth.
    pub fn is_dear(self) -> bool {
        self.kept() < 0.9
    }

    /// What it asks for.
    pub fn plan(self, shape: Shape) -> Plan {
        let always = match shape {
            // One session holds all of it, so nothing is left for bursts.
            Shape::OneFile => self.single(),
            Shape::Folder => self.main(),
        };
        let samples = match (shape, self) {
            (Shape::OneFile, _) | (_, Self::Light | Self::Cpu | Self::Startup) => None,
            (Shape::Folder, Self::Default | Self::Requests | Self::Logs) => Some(Bursts {
                providers: self.burst(),
                every: Duration::from_secs(2),
                length: Duration::from_millis(200),
            }),
        };
        Plan { main: always, bursts: samples }
    }

    fn main(self) -> Vec<Provider> {
        match self {
            Self::Default => [runtime(STEADY, INFORMATIONAL)].into_iter().chain(counters()).collect(),
            Self::Light => [runtime(LIGHT, INFORMATIONAL)].into_iter().chain(counters()).collect(),
            Self::Requests | Self::Logs => {
                let steady = [runtime(STEADY, INFORMATIONAL), hosting()];
                steady.into_iter().chain(counters()).chain(self.of_requests()).collect()
            }
            Self::Cpu | Self::Startup => self.single(),
        }
    }

    fn burst(self) -> Vec<Provider> {
        let mut providers = vec![sampler(), runtime(keyword::WAIT_HANDLE, VERBOSE)];
        if self == Self::Default {
            providers.push(hosting());
        }
        providers
    }

    fn single(self) -> Vec<Provider> {
        match self {
            Self::Light => self.main(),
            Self::Startup => vec![sampler(), runtime(EVERYTHING, VERBOSE), heartbeat()],
            _ => {
                let all = [sampler(), runtime(EVERYTHING, VERBOSE), hosting()];
                all.into_iter().chain(counters()).chain(self.of_requests()).collect()
            }
        }
    }

    /// What `requests` and `logs` add.
    fn of_requests(self) -> Vec<Provider> {
        let mut added = Vec::new();
        if matches!(self, Self::Requests | Self::Logs) {
            added.extend([
                // Activity ids that flow through tasks.
                provider("System.Threading.Tasks.TplEventSource", 0x80, INFORMATIONAL, ""),
                provider("System.Net.Http", ALL, INFORMATIONAL, ""),
                provider("Microsoft-AspNetCore-Server-Kestrel", ALL, INFORMATIONAL, ""),
                provider("Microsoft-Diagnostics-DiagnosticSource", 0x3, VERBOSE, SPANS),
            ]);
        }
        if self == Self::Logs {
            // Formatted messages.
            added.push(provider("Microsoft-Extensions-Logging", 0x4, VERBOSE, ""));
        }
        added
    }
}

/// What a recording is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// An exhibit's folder: a main session, bursts, names, host facts.
    Folder,
    /// One file for other tools: one session with everything, sampled all the time.
    OneFile,
}

/// Which sessions a recording consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The session that lasts as long as the recording.
    pub main: Vec<Provider>,
    /// The one that comes again and again.
    pub bursts: Option<Bursts>,
}

/// A short session that comes again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bursts {
    /// Whose events it asks for.
    pub providers: Vec<Provider>,
    /// From one beginning to the next.
    pub every: Duration,
    /// How long each is.
    pub length: Duration,
}

impl Plan {
    /// Adds a provider, or replaces the one of that name, in whichever session it is.
    pub fn set(&mut self, provider: &Provider) {
        let bursts = self.bursts.iter_mut().flat_map(|bursts| bursts.providers.iter_mut());
        let mut replaced = false;
        for known in self.main.iter_mut().chain(bursts).filter(|known| known.name == provider.name) {
            provider.clone_into(known);
            replaced = true;
        }
        if !replaced {
            self.main.push(provider.clone());
        }
    }
}

/// Why a provider cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{text}` is no provider: {what}; expected NAME:KEYWORDS:LEVEL:ARGUMENTS, as in Microsoft-Windows-DotNETRuntime:0x1:4"
)]
pub struct ProviderError {
    text: String,
    what: &'static str,
}

/// Reads `NAME:KEYWORDS:LEVEL:ARGUMENTS`, of which all but the name may be left out: all keywords, level 5, none.
/// Keywords are hexadecimal, with or without `0x`; a level is a number or a word.
pub fn parse_provider(text: &str) -> Result<Provider, ProviderError> {
    let wrong = |what| ProviderError { text: text.to_owned(), what };
    let mut parts = text.splitn(4, ':');
    let name = parts.next().map(str::trim).filter(|name| !name.is_empty()).ok_or(wrong("it has no name"))?;
    let keywords = match parts.next().map(str::trim).filter(|part| !part.is_empty()) {
        None => ALL,
        Some(part) => {
            let digits = part.strip_prefix("0x").or(part.strip_prefix("0X")).unwrap_or(part);
            u64::from_str_radix(digits, 16)
                .map_err(|_no_number| wrong("its keywords are no hexadecimal number"))?
        }
    };
    let level = match parts.next().map(str::trim).filter(|part| !part.is_empty()) {
        None => VERBOSE,
        Some(part) => level(part).ok_or(wrong("its level is none of 0 to 5"))?,
    };
    let arguments = parts.next().unwrap_or_default().to_owned();
    Ok(Provider { name: name.to_owned(), keywords, level, arguments })
}

fn level(text: &str) -> Option<u32> {
    const NAMES: [&str; 6] = ["logalways", "critical", "error", "warning", "informational", "verbose"];
    let named = NAMES.iter().position(|name| *name == text.to_lowercase());
    named.and_then(|at| u32::try_from(at).ok()).or_else(|| text.parse().ok().filter(|level| *level <= 5))
}

fn provider(name: &str, keywords: u64, level: u32, arguments: &str) -> Provider {
    Provider { name: name.to_owned(), keywords, level, arguments: arguments.to_owned() }
}

/// Stops the program and looks at every managed thread, as often as the runtime does.
pub fn sampler() -> Provider {
    provider("Microsoft-DotNETCore-SampleProfiler", 0, VERBOSE, "")
}

fn runtime(keywords: u64, level: u32) -> Provider {
    provider(RUNTIME, keywords, level, "")
}

fn hosting() -> Provider {
    provider("Microsoft.AspNetCore.Hosting", ALL, INFORMATIONAL, "")
}

/// An event each second: the runtime finds out with the next event that nobody reads a session any more.
pub fn heartbeat() -> Provider {
    provider("System.Runtime", ALL, INFORMATIONAL, "EventCounterIntervalSec=1")
}

/// Code that was compiled ahead of time, as it is used first: nothing else tells its name before the end. In a service
/// that is warm it sends next to nothing.
pub(crate) fn first_uses() -> Vec<Provider> {
    vec![runtime(keyword::COMPILATION_DIAGNOSTIC, VERBOSE), heartbeat()]
}

fn counters() -> [Provider; 2] {
    [heartbeat(), meters(METERS, Duration::from_secs(1))]
}

/// Instruments of meters, published at an interval: names with commas between them, each `Meter` or
/// `Meter\Instrument`.
pub fn meters(names: &str, every: Duration) -> Provider {
    const TIME_SERIES: u32 = 0x2;
    // Listeners that share a session need the same limits and interval; one that does not share it ends the others.
    let arguments = format!(
        "SessionId=SHARED;Metrics={names};RefreshInterval={};MaxTimeSeries=1000;MaxHistograms=100;ClientId=casebook-{}",
        every.as_secs_f64(),
        std::process::id()
    );
    provider("System.Diagnostics.Metrics", u64::from(TIME_SERIES), INFORMATIONAL, &arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, u64, u32, &str), &str>) {
        let parsed = parse_provider(text);
        let parsed =
            parsed.as_ref().map(|of| (of.name.as_str(), of.keywords, of.level, of.arguments.as_str()));
        assert_eq!(parsed.map_err(|error| error.what), expected);
    }

    #[test]
    fn a_provider_is_read_as_other_tools_write_it() {
        check("My", Ok(("My", u64::MAX, 5, "")));
        check("My:0x1F:4", Ok(("My", 0x1f, 4, "")));
        check("My:1f:Warning:a=b:c;d", Ok(("My", 0x1f, 3, "a=b:c;d")));
        check("My::4", Ok(("My", u64::MAX, 4, "")));
        check("My:", Ok(("My", u64::MAX, 5, "")));
        check(":1", Err("it has no name"));
        check("My:no", Err("its keywords are no hexadecimal number"));
        check("My:1:6", Err("its level is none of 0 to 5"));
    }

    #[test]
    fn a_provider_is_replaced_where_it_is_and_else_added() {
        let mut plan = Profile::Default.plan(Shape::Folder);
        let before = plan.main.len();
        plan.set(&parse_provider("Microsoft-Windows-DotNETRuntime:1:4").unwrap());
        plan.set(&parse_provider("My").unwrap());
        assert_eq!(plan.main.len(), before + 1);
        let keywords =
            |providers: &[Provider]| providers.iter().find(|of| of.name == RUNTIME).map(|of| of.keywords);
        assert_eq!([keywords(&plan.main), keywords(&plan.bursts.unwrap().providers)], [Some(1); 2]);
    }

    #[test]
    fn one_file_holds_in_one_session_what_a_folder_has_in_several() {
        for profile in Profile::ALL {
            let folder = profile.plan(Shape::Folder);
            let file = profile.plan(Shape::OneFile);
            assert_eq!(file.bursts, None);
            let bursts = folder.bursts.into_iter().flat_map(|bursts| bursts.providers);
            for asked in folder.main.into_iter().chain(bursts) {
                let held = file.main.iter().find(|of| of.name == asked.name).unwrap();
                assert_eq!(
                    held.keywords & asked.keywords,
                    asked.keywords,
                    "{}: {}",
                    profile.name(),
                    asked.name
                );
                assert!(held.level >= asked.level);
            }
        }
    }
}

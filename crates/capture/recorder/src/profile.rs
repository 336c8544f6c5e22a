//! Profiles: what a recording asks the runtime for.
//!
//! A profile has a main session, which lasts as long as the recording, and most also have bursts: short sessions at
//! intervals. The sampler pauses the process hundreds of times per second, so it runs in bursts, together with everything
//! else whose cost grows with the number of requests. [`Profile::kept`] is what each profile costs, measured on a service
//! that uses all its CPU cores.

use dotnet_ipc::session::Provider;
use std::path::Path;
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

/// All keywords that any profile uses.
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
/// What may be on all the time. Its cost grows with the number of collections, contended locks, exceptions, compiled methods
/// and allocated bytes (an event per 100 kB), not with the number of requests.
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

/// The meters of the runtime and of its most used libraries.
const METERS: &str =
    "Microsoft.AspNetCore.Hosting,Microsoft.AspNetCore.Server.Kestrel,Npgsql,System.Net.Http,System.Runtime";
/// Every span with its tags, but without the fields that would make it ten times as long.
const SPANS: &str = "FilterAndPayloadSpecs=\"[AS]*:-Id;ParentId;DisplayName;Kind;Duration;Status;Tags=TagObjects.*Enumerate\"";

/// A named set of what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// What most questions need, at a cost that is fit for production.
    Default,
    /// Events and counters without samples.
    Light,
    /// Samples all the time.
    Cpu,
    /// Each request, and each call that it makes.
    Requests,
    /// Requests, and log lines.
    Logs,
    /// Everything from the first instruction on.
    Startup,
}

impl Profile {
    /// All profiles.
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

    /// The profile with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// What it is for.
    pub fn about(self) -> &'static str {
        match self {
            Self::Default => "what most questions need: events all the time, samples in bursts",
            Self::Light => "collections, locks, exceptions, pool, counters; no samples, so few checks",
            Self::Cpu => "samples all the time, for methods that take little",
            Self::Requests => "each request and each call that it makes, with samples in bursts",
            Self::Logs => "requests, and every log line",
            Self::Startup => "everything from the first instruction on; with `record -- COMMAND`",
        }
    }

    /// The share of its throughput that it costs a service that uses all its CPU cores, as measured.
    pub fn cost(self) -> f64 {
        match self {
            Self::Default => 0.05,
            Self::Light => 0.03,
            Self::Cpu | Self::Startup => 0.23,
            Self::Requests => 0.18,
            Self::Logs => 0.30,
        }
    }

    /// Whether it costs such a service more than a tenth of its throughput.
    pub fn is_dear(self) -> bool {
        self.cost() > 0.1
    }

    /// The sessions that it asks for.
    pub fn plan(self, shape: OutputShape) -> Plan {
        let always = match shape {
            // One session holds everything, so there are no bursts.
            OutputShape::OneFile => self.single(),
            OutputShape::Folder => self.main(),
        };
        let samples = match (shape, self) {
            (OutputShape::OneFile, _) | (_, Self::Light | Self::Cpu | Self::Startup) => None,
            (OutputShape::Folder, Self::Default | Self::Requests | Self::Logs) => Some(Bursts {
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
                // Makes activity ids flow through tasks.
                provider("System.Threading.Tasks.TplEventSource", 0x80, INFORMATIONAL, ""),
                provider("System.Net.Http", ALL, INFORMATIONAL, ""),
                provider("Microsoft-AspNetCore-Server-Kestrel", ALL, INFORMATIONAL, ""),
                provider("Microsoft-Diagnostics-DiagnosticSource", 0x3, VERBOSE, SPANS),
            ]);
        }
        if self == Self::Logs {
            // Keyword 0x4: messages as formatted text.
            added.push(provider("Microsoft-Extensions-Logging", 0x4, VERBOSE, ""));
        }
        added
    }
}

/// What a recording is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputShape {
    /// A folder: a main session, bursts, method names, and tables of the host.
    Folder,
    /// One file for other tools: one session with everything, sampled all the time.
    OneFile,
}

impl OutputShape {
    /// The shape that a name asks for: a file if it ends in `.nettrace` or `.nettrace.zst`, otherwise a folder.
    pub fn of(out: &Path) -> Self {
        let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_file = [".nettrace", ".nettrace.zst"].iter().any(|ending| name.ends_with(ending));
        if is_file { Self::OneFile } else { Self::Folder }
    }
}

/// The sessions of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The session that lasts as long as the recording.
    pub main: Vec<Provider>,
    /// The short sessions at intervals.
    pub bursts: Option<Bursts>,
}

/// Short sessions at intervals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bursts {
    /// The providers whose events they ask for.
    pub providers: Vec<Provider>,
    /// The interval from one beginning to the next, on average.
    pub every: Duration,
    /// The length of each.
    pub length: Duration,
}

impl Plan {
    /// Adds a provider to the main session, or replaces the one of that name in every session that has it.
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

/// Why the description of a provider cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{text}` does not describe a provider: {what}; expected NAME:KEYWORDS:LEVEL:ARGUMENTS, as in Microsoft-Windows-DotNETRuntime:0x1:4"
)]
pub struct ProviderError {
    text: String,
    what: &'static str,
}

/// Reads `NAME:KEYWORDS:LEVEL:ARGUMENTS`. Only the name is required; the others default to all keywords, level 5 and no
/// arguments. Keywords are hexadecimal, with or without `0x`; a level is a number or a word.
pub fn parse_provider(text: &str) -> Result<Provider, ProviderError> {
    let wrong = |what| ProviderError { text: text.to_owned(), what };
    let mut parts = text.splitn(4, ':');
    let name = parts.next().map(str::trim).filter(|name| !name.is_empty()).ok_or(wrong("it has no name"))?;
    let keywords = match parts.next().map(str::trim).filter(|part| !part.is_empty()) {
        None => ALL,
        Some(part) => {
            let digits = part.strip_prefix("0x").or(part.strip_prefix("0X")).unwrap_or(part);
            u64::from_str_radix(digits, 16)
                .map_err(|_no_number| wrong("its keywords are not a hexadecimal number"))?
        }
    };
    let level = match parts.next().map(str::trim).filter(|part| !part.is_empty()) {
        None => VERBOSE,
        Some(part) => level(part).ok_or(wrong("its level is not one of 0 to 5"))?,
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

/// The sampler: pauses the process and takes the stack of every managed thread, at the runtime's own rate.
pub fn sampler() -> Provider {
    provider("Microsoft-DotNETCore-SampleProfiler", 0, VERBOSE, "")
}

fn runtime(keywords: u64, level: u32) -> Provider {
    provider(RUNTIME, keywords, level, "")
}

fn hosting() -> Provider {
    provider("Microsoft.AspNetCore.Hosting", ALL, INFORMATIONAL, "")
}

/// An event per second. Only by sending an event does the runtime notice that a session is no longer read.
pub fn heartbeat() -> Provider {
    provider("System.Runtime", ALL, INFORMATIONAL, "EventCounterIntervalSec=1")
}

/// The first uses of methods that were compiled ahead of time, whose names no other event has before the end. In a service
/// that has warmed up, there are next to none.
pub(crate) fn first_uses() -> Vec<Provider> {
    vec![runtime(keyword::COMPILATION_DIAGNOSTIC, VERBOSE), heartbeat()]
}

fn counters() -> [Provider; 2] {
    [heartbeat(), meters(METERS, Duration::from_secs(1))]
}

/// Instruments of meters, published at an interval. `names` are separated by commas, each `Meter` or `Meter\Instrument`.
pub fn meters(names: &str, every: Duration) -> Provider {
    const TIME_SERIES: u32 = 0x2;
    // Listeners must share a session, since one that does not ends the others. Those that share it need the same limits and
    // interval.
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
        check("My:no", Err("its keywords are not a hexadecimal number"));
        check("My:1:6", Err("its level is not one of 0 to 5"));
    }

    #[test]
    fn a_provider_is_replaced_in_its_session_or_else_added() {
        let mut plan = Profile::Default.plan(OutputShape::Folder);
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
            let folder = profile.plan(OutputShape::Folder);
            let file = profile.plan(OutputShape::OneFile);
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

    #[test]
    fn the_name_decides_between_a_file_and_a_folder() {
        let of = |name: &str| OutputShape::of(Path::new(name));
        assert_eq!(["a.nettrace", "a.nettrace.zst"].map(of), [OutputShape::OneFile; 2]);
        assert_eq!(["a", "a.zst"].map(of), [OutputShape::Folder; 2]);
    }
}

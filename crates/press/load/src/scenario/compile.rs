//! From a scenario file to a [`Scenario`]: what can be wrong is found here, before anything is sent.

use super::check::{CheckError, Checks};
use super::file::{Order, RequestFile, ScenarioFile};
use super::model::{Body, FlowOf, Request, Scenario, is_control};
use super::rows::Rows;
use super::template::{Place, Source, Template, TemplateError};
use crate::target::{Target, TargetError};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

/// The most requests of a scenario, each with its own figures.
pub(crate) const MAX_REQUESTS: usize = 64;
/// The most headers of a request.
pub(crate) const MAX_HEADERS: usize = 100;
/// The most CSV files.
const MAX_CSV: usize = 100;
/// The largest weight.
pub(crate) const MAX_WEIGHT: u32 = 1_000_000;
/// The longest pause before a request of a flow.
const MAX_THINK: Duration = Duration::from_mins(10);

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// It is not TOML, or has other keys than a scenario has.
    #[error("{0}")]
    Toml(String),
    /// Where requests go to.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No request says where it goes to.
    #[error("no URL: give one on the command line, or as `url` in the scenario")]
    NoUrl,
    /// The URL of all requests has a path.
    #[error(
        "`{0}` has a path: the URL of a scenario is http://HOST[:PORT], and each request has its own path"
    )]
    UrlWithPath(String),
    /// A file that it names cannot be used.
    #[error("{file}: {cause}")]
    File {
        /// Its name in the scenario.
        file: String,
        /// Why not.
        cause: String,
    },
    /// A part of it is wrong.
    #[error("{place}: {cause}")]
    Part {
        /// Which part.
        place: String,
        /// What is wrong.
        cause: String,
    },
}

/// A scenario that was read, and what else its file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The scenario.
    pub scenario: Scenario,
    /// Where its requests go to.
    pub target: Target,
    /// The hosts that are not this machine, on which the user allows load.
    pub allow: Vec<String>,
    /// The rate, as on the command line.
    pub rate: Option<String>,
    /// How long requests are due, as on the command line.
    pub duration: Option<String>,
    /// Objectives, as on the command line.
    pub slo: Vec<String>,
}

type Part<T> = Result<T, String>;

impl Loaded {
    /// Reads a scenario. `url` takes precedence over the one in the file. `read` reads files that the scenario names, `time` a time
    /// such as `200ms`.
    pub fn parse(
        text: &str,
        url: Option<&str>,
        seed: u64,
        read: &dyn Fn(&str) -> io::Result<Vec<u8>>,
        time: &dyn Fn(&str) -> Result<Duration, String>,
    ) -> Result<Self, ScenarioError> {
        let file: ScenarioFile = toml::from_str(text)
            .map_err(|error| ScenarioError::Toml(error.to_string().trim_end().to_owned()))?;
        let target = target(&file, url)?;
        let (sources, rows) = sources(&file, read)?;
        let mut compiling = Compiling {
            read,
            time,
            scenario: Scenario {
                requests: Vec::new(),
                flows: Vec::new(),
                sums: Vec::new(),
                rows,
                seed,
                origin: target.clone(),
            },
            sources,
            names: BTreeSet::new(),
        };
        compiling.all(&file)?;
        let rate = match file.rate {
            Some(toml::Value::String(text)) => Some(text),
            Some(number @ (toml::Value::Integer(_) | toml::Value::Float(_))) => Some(number.to_string()),
            None => None,
            Some(_) => return Err(part("rate", "expected a number, or a text such as \"100..200\"")),
        };
        Ok(Self {
            scenario: compiling.scenario,
            target,
            allow: file.allow,
            rate,
            duration: file.duration,
            slo: file.slo,
        })
    }
}

fn part(place: impl Into<String>, cause: impl Into<String>) -> ScenarioError {
    ScenarioError::Part { place: place.into(), cause: cause.into() }
}

/// Where all requests go to: the URL that the user gave, or the origin of the first request with a whole URL.
fn target(file: &ScenarioFile, url: Option<&str>) -> Result<Target, ScenarioError> {
    if let Some(url) = url.or(file.url.as_deref()) {
        let target = Target::parse(url)?;
        return if target.path == "/" { Ok(target) } else { Err(ScenarioError::UrlWithPath(url.to_owned())) };
    }
    let requests = file.request.iter().chain(file.flow.iter().flat_map(|flow| &flow.step));
    let whole = requests.map(|of| of.path.as_str()).find(|path| is_url(path));
    Ok(Target::parse(origin(whole.ok_or(ScenarioError::NoUrl)?))?)
}

fn is_url(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

/// The beginning of a URL, without its path.
fn origin(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(from..).unwrap_or_default();
    let len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url.get(..from + len).unwrap_or(url)
}

type Sources = BTreeMap<String, Source>;

/// The constants and the columns of CSV files, by name.
fn sources(
    file: &ScenarioFile,
    read: &dyn Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<(Sources, Vec<Rows>), ScenarioError> {
    let mut sources = Sources::new();
    for (name, value) in &file.variables {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(_) | toml::Value::Table(_) => {
                return Err(part(format!("variables.{name}"), "expected a text or a number"));
            }
            other => other.to_string(),
        };
        add(&mut sources, name, Source::Constant(text)).map_err(|cause| part("variables", cause))?;
    }
    if file.csv.len() > MAX_CSV {
        return Err(part("csv", format!("more than {MAX_CSV} files")));
    }
    let mut all = Vec::new();
    for (number, of) in file.csv.iter().enumerate() {
        let failed = |cause: String| ScenarioError::File { file: of.file.clone(), cause };
        let bytes = read(&of.file).map_err(|error| failed(error.to_string()))?;
        let rows =
            Rows::parse(&bytes, of.order == Order::Random).map_err(|error| failed(error.to_string()))?;
        for (column, name) in rows.names.iter().enumerate() {
            add(&mut sources, name, Source::Column(number, column)).map_err(failed)?;
        }
        all.push(rows);
    }
    Ok((sources, all))
}

fn add(sources: &mut Sources, name: &str, source: Source) -> Part<()> {
    let is_name = !name.is_empty() && name.chars().all(|of| of.is_alphanumeric() || "_-.".contains(of));
    if !is_name {
        return Err(format!("`{name}` is not a name: expected letters, digits, `_`, `-` and `.`"));
    }
    match sources.insert(name.to_owned(), source) {
        Some(_) => Err(format!("there are two values of the name `{name}`")),
        None => Ok(()),
    }
}

/// Compiles the requests of a file.
struct Compiling<'a> {
    read: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    time: &'a dyn Fn(&str) -> Result<Duration, String>,
    scenario: Scenario,
    sources: Sources,
    /// The names of requests so far.
    names: BTreeSet<String>,
}

impl Compiling<'_> {
    fn all(&mut self, file: &ScenarioFile) -> Result<(), ScenarioError> {
        let count = file.request.len() + file.flow.iter().map(|flow| flow.step.len()).sum::<usize>();
        if count == 0 || count > MAX_REQUESTS {
            return Err(part("scenario", format!("expected 1 to {MAX_REQUESTS} requests, found {count}")));
        }
        for (number, of) in file.request.iter().enumerate() {
            let place = place("request", number, of.name.as_deref());
            if of.think.is_some() || !of.extract.is_empty() {
                return Err(part(
                    place,
                    "`think` and `extract` belong to the steps of a flow: [[flow.step]]",
                ));
            }
            self.flow(None, std::slice::from_ref(of), of.weight, &place)?;
        }
        for (number, of) in file.flow.iter().enumerate() {
            let place = place("flow", number, of.name.as_deref());
            let name = of.name.clone().unwrap_or_else(|| format!("flow {}", number + 1));
            if of.step.is_empty() {
                return Err(part(place, "expected at least one [[flow.step]]"));
            }
            if of.step.iter().any(|step| step.weight.is_some()) {
                return Err(part(place, "`weight` belongs to the flow, not to its steps"));
            }
            self.flow(Some(name), &of.step, of.weight, &place)?;
        }
        if self.scenario.sums.last().is_none_or(|sum| *sum == 0) {
            return Err(part("scenario", "all weights are 0"));
        }
        Ok(())
    }

    fn flow(
        &mut self,
        name: Option<String>,
        steps: &[RequestFile],
        weight: Option<u32>,
        place: &str,
    ) -> Result<(), ScenarioError> {
        let weight = weight.unwrap_or(1);
        if weight > MAX_WEIGHT {
            return Err(part(place, format!("a weight is at most {MAX_WEIGHT}")));
        }
        let sum = self.scenario.sums.last().copied().unwrap_or(0);
        self.scenario.sums.push(sum + u64::from(weight));
        let begin = self.scenario.requests.len();
        let mut extracted = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let place = if name.is_some() {
                format!("{place}, {}", self::place("step", number, step.name.as_deref()))
            } else {
                place.to_owned()
            };
            let of = self.request(step, &mut extracted).map_err(|cause| part(place, cause))?;
            self.scenario.requests.push(of);
        }
        let requests = begin..self.scenario.requests.len();
        self.scenario.flows.push(FlowOf { name, requests, values: extracted.len() });
        Ok(())
    }

    /// Compiles a request. `extracted` are the values of earlier steps, to which it adds its own.
    fn request(&mut self, file: &RequestFile, extracted: &mut Vec<String>) -> Part<Request> {
        if file.body.is_some() && file.body_file.is_some() {
            return Err("expected `body` or `body_file`, not both".to_owned());
        }
        let has_body = file.body.is_some() || file.body_file.is_some();
        let method = file.method.clone().unwrap_or_else(|| if has_body { "POST" } else { "GET" }.to_owned());
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
            return Err(format!("`{method}` is not a method: expected GET, POST or another word"));
        }
        let name = file.name.clone().unwrap_or_else(|| format!("{method} {}", file.path));
        if name.is_empty() || name.chars().any(char::is_control) || name.chars().count() > 200 {
            return Err("a name has 1 to 200 letters, and no control characters".to_owned());
        }
        if !self.names.insert(name.clone()) {
            return Err(format!("there are two requests of the name `{name}`"));
        }
        let mut places = 0;
        let path = self.path(&file.path, &mut places, extracted)?;
        let mut headers = self.headers(&file.headers, &mut places, extracted)?;
        let body = if let Some(name) = &file.body_file {
            Body::Bytes((self.read)(name).map_err(|error| format!("{name}: {error}"))?)
        } else {
            let text = file.body.as_deref().unwrap_or_default();
            Body::Text(self.template("body", text, Place::Body, &mut places, extracted)?)
        };
        let think =
            file.think.as_deref().map(self.time).transpose().map_err(|cause| format!("think: {cause}"))?;
        let think = think.unwrap_or_default();
        if think > MAX_THINK {
            return Err(format!("`think` is at most {} min", MAX_THINK.as_secs() / 60));
        }
        let checks = self.checks(file, extracted)?;
        // Checks read the body as it is sent, so it must not be compressed.
        let has_coding = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept-encoding"));
        if checks.wanted().body && !has_coding {
            let none = self.template("headers", "identity", Place::Header, &mut places, extracted)?;
            headers.push(("Accept-Encoding".to_owned(), none));
        }
        let think_ns = u64::try_from(think.as_nanos()).unwrap_or(u64::MAX);
        Ok(Request { name, method, path, headers, body, think_ns, checks })
    }

    fn checks(&self, file: &RequestFile, extracted: &mut Vec<String>) -> Part<Checks> {
        let taken = file.extract.keys().find(|name| self.sources.contains_key(*name));
        if let Some(name) = taken {
            return Err(format!("there are two values of the name `{name}`"));
        }
        let is_name = |name: &str| name.chars().all(|of| of.is_alphanumeric() || "_-.".contains(of));
        if let Some(name) = file.extract.keys().find(|name| name.is_empty() || !is_name(name)) {
            return Err(format!("`{name}` is not a name: expected letters, digits, `_`, `-` and `.`"));
        }
        let slot = |name: &str| {
            let known = extracted.iter().position(|of| of == name);
            known.unwrap_or_else(|| {
                extracted.push(name.to_owned());
                extracted.len() - 1
            })
        };
        Checks::compile(file.expect.as_ref(), &file.extract, slot)
            .map_err(|error: CheckError| error.to_string())
    }

    fn template(
        &self,
        what: &str,
        text: &str,
        place: Place,
        places: &mut u64,
        extracted: &[String],
    ) -> Part<Template> {
        let source = |name: &str| {
            let known = self.sources.get(name).cloned();
            known.or_else(|| extracted.iter().position(|of| of == name).map(Source::Extracted))
        };
        let parsed = Template::parse(text, place, places, &source);
        parsed.map_err(|error: TemplateError| format!("{what}: {error}"))
    }

    fn path(&self, text: &str, places: &mut u64, extracted: &[String]) -> Part<Template> {
        let path = self.template("path", text, Place::Path, places, extracted)?;
        let Some(beginning) = path.beginning().map(str::to_owned) else { return Ok(path) };
        let own = self.scenario.origin.own_path(&beginning)?;
        let path = match path.constant() {
            // A URL without a path.
            Some(_) if own == "/" => self.template("path", "/", Place::Path, places, extracted)?,
            _ if beginning.ends_with(own) => path.without(beginning.len() - own.len()),
            _ => return Err(format!("`{text}` has no path: expected a `/` before the first value")),
        };
        let unfit = path.texts().flat_map(str::chars).find(|of| !of.is_ascii_graphic() || *of == '#');
        match unfit {
            Some(of) => Err(format!("`{text}` is not a path: {of:?} must be percent-encoded")),
            None => Ok(path),
        }
    }

    fn headers(
        &self,
        headers: &toml::Table,
        places: &mut u64,
        extracted: &[String],
    ) -> Part<Vec<(String, Template)>> {
        let mut all = Vec::new();
        for (name, value) in headers {
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(format!("`{name}` is not the name of a header"));
            }
            let texts = match value {
                toml::Value::String(text) => vec![text.as_str()],
                toml::Value::Array(of) => of.iter().filter_map(toml::Value::as_str).collect(),
                _ => Vec::new(),
            };
            let is_complete = value.as_array().is_none_or(|of| of.len() == texts.len());
            if texts.is_empty() || !is_complete {
                return Err(format!("header `{name}`: expected a text, or a list of texts"));
            }
            for text in texts {
                let what = format!("header `{name}`");
                let value = self.template(&what, text, Place::Header, places, extracted)?;
                if value.texts().any(|text| text.bytes().any(is_control)) {
                    return Err(format!("{what} contains a line end or another control character"));
                }
                all.push((name.clone(), value));
            }
        }
        if all.len() > MAX_HEADERS { Err(format!("more than {MAX_HEADERS} headers")) } else { Ok(all) }
    }
}

/// A part of the file, as an error names it: by its number, and its name if it has one.
fn place(what: &str, number: usize, name: Option<&str>) -> String {
    let number = number + 1;
    name.map_or_else(
        || format!("{what} {number}"),
        |name| format!("{what} {number} (`{}`)", name.escape_debug()),
    )
}

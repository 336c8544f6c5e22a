//! Scenarios against a service on this machine, which remembers what it was asked.

#![expect(clippy::unwrap_used, reason = "a test")]

use load::{Drive, Loaded, Plan, Run, ScenarioError, Schedule, run};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::Duration;

/// A request as the service saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    line: String,
    headers: Vec<String>,
    body: String,
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// A service that answers each request with the bytes that a function returns. It ends with the test's process.
fn service(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + Clone + 'static) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let log = Log::default();
    let seen = Arc::clone(&log);
    let serve = move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (answer, seen) = (answer.clone(), Arc::clone(&seen));
            drop(Builder::new().spawn(move || connection(stream, &seen, answer)));
        }
    };
    drop(Builder::new().spawn(serve).unwrap());
    (url, log)
}

fn connection(mut stream: TcpStream, log: &Log, answer: impl Fn(&Asked) -> Vec<u8>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(asked) = request(&mut reader) {
        let bytes = answer(&asked);
        log.lock().unwrap().push(asked);
        if bytes.is_empty() || stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn request(reader: &mut impl BufRead) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let headers = lines.split_off(1);
    Some(Asked { line: lines.pop()?, headers, body: String::from_utf8(body).unwrap() })
}

fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A service in which orders are created, paid and read.
fn shop() -> (String, Log) {
    service(|asked| {
        let mut words = asked.line.split(' ');
        match (words.next().unwrap(), words.next().unwrap()) {
            ("POST", "/orders") => {
                let user = asked.body.trim_start_matches("user=");
                let body = format!(r#"{{"order": {{"id": "{user}-1"}}, "token": "t={user};"}}"#);
                // In chunks, so that what is read has none of their framing.
                let (a, b) = body.split_at(body.len() / 2);
                let chunks = format!("{:x}\r\n{a}\r\n{:x};x=y\r\n{b}\r\n0\r\n\r\n", a.len(), b.len());
                format!("HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\nLocation: /orders/{user}-1/state?of=all\r\n\r\n{chunks}").into_bytes()
            }
            (_, path) if path.starts_with("/fail") => answer(503, "", "no"),
            (_, path) if path.starts_with("/large") => answer(200, "", &" ".repeat(2 * 1024 * 1024)),
            _ => answer(200, "", r#"{"state": "paid"}"#),
        }
    })
}

fn loaded(text: &str, url: &str, seed: u64) -> Result<Loaded, ScenarioError> {
    let read = |name: &str| match name {
        "users.csv" => Ok(b"user,city\nann,a b\nbob,x/y\n".to_vec()),
        "evil.csv" => Ok(b"value\n\"a\r\nX-Injected: 1\"\nfine\n".to_vec()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let time = |text: &str| {
        let millis = text.strip_suffix("ms").and_then(|of| of.parse().ok());
        millis.map(Duration::from_millis).ok_or_else(|| format!("`{text}` is not a time"))
    };
    Loaded::parse(text, Some(url), seed, &read, &time)
}

/// A run of so many arrivals.
fn plan(of: Loaded, arrivals: u32, threads: usize) -> Plan {
    Plan {
        scenario: Some(Arc::new(of.scenario)),
        drive: Drive::Schedule(Schedule::Constant { rate: f64::from(arrivals) * 4.0 }),
        duration: Duration::from_millis(250),
        connections: 8,
        threads,
        timeout: Duration::from_secs(10),
        ..Plan::to(of.target)
    }
}

fn accounted(plan: &Plan) -> Run {
    let run = run(plan, &AtomicBool::new(false), &mut ()).unwrap();
    let sum = |of: &load::Counts| of.responses + of.failed() + of.timeouts + of.unsent;
    assert_eq!(run.planned, sum(&run.counts), "{:?}", run.counts);
    if let Some(planned) = plan.planned() {
        assert_eq!(run.planned, planned);
        assert_eq!(run.planned, run.seconds.iter().map(|of| of.asked).sum::<u64>());
    }
    let mut all = 0;
    for of in &run.tally.requests {
        assert_eq!(of.planned(), sum(&of.counts), "{of:?}");
        all += of.planned();
    }
    assert_eq!(run.planned, all);
    assert_eq!(run.counts.failed_checks, run.tally.requests.iter().flat_map(|of| &of.failed).sum::<u64>());
    run
}

fn document(plan: &Plan, run: &Run) -> serde_json::Value {
    load::document(plan, run, None, &[])
}

/// How often each request line was asked.
fn lines(log: &Log) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for asked in log.lock().unwrap().iter() {
        *lines.entry(asked.line.trim_end_matches(" HTTP/1.1").to_owned()).or_default() += 1;
    }
    lines
}

const FLOW: &str = r#"
[variables]
tenant = "north sea"
[[csv]]
file = "users.csv"
[[flow]]
name = "buy"
[[flow.step]]
name = "create"
method = "POST"
path = "/orders"
headers = { X-Tenant = "{{tenant}}", X-City = "{{city}}" }
body = "user={{user}}"
expect = { status = [200, 201] }
extract = { order = { json = "$.order.id" }, place = { header = "Location" }, token = { regex = "t=(\\w+);" } }
[[flow.step]]
name = "pay"
think = "20ms"
path = "/pay/{{order}}/{{city}}?tenant={{tenant}}&n={{sequence}}"
headers = { Authorization = "Bearer {{token}}" }
expect = { status = 200, json = { "$.state" = "paid" }, body_matches = "p.id", body_contains = "state" }
[[flow.step]]
name = "state"
path = "{{place}}"
"#;

#[test]
fn values_of_a_response_go_into_the_next_request() {
    for threads in [1, 3] {
        let (url, log) = shop();
        let plan = plan(loaded(FLOW, &url, 1).unwrap(), 10, threads);
        let run = accounted(&plan);
        assert_eq!((run.planned, run.counts.responses, run.counts.failed_checks), (30, 30, 0));
        let all = lines(&log);
        assert_eq!(all.get("POST /orders"), Some(&10), "{all:?}");
        assert_eq!(all.get("GET /orders/ann-1/state?of=all"), Some(&5), "{all:?}");
        for n in 0..10 {
            let (user, city) = [("ann", "a%20b"), ("bob", "x%2Fy")][n % 2];
            let line = format!("GET /pay/{user}-1/{city}?tenant=north%20sea&n={n}");
            assert_eq!(all.get(&line), Some(&1), "{line}: {all:?}");
        }
        let log = log.lock().unwrap();
        let created = log.iter().find(|of| of.body == "user=bob").unwrap();
        for header in ["X-Tenant: north sea", "X-City: x/y", "Accept-Encoding: identity", "Content-Length: 8"]
        {
            assert!(created.headers.iter().any(|of| of == header), "{created:?}");
        }
        assert!(log.iter().any(|of| of.headers.iter().any(|of| of == "Authorization: Bearer bob")));
        let document = document(&plan, &run);
        assert_eq!(document["flows"], serde_json::json!([{"name": "buy", "planned": 10, "completed": 10}]));
        let names: Vec<_> =
            document["requests"].as_array().unwrap().iter().map(|of| of["name"].as_str()).collect();
        assert_eq!(names, [Some("create"), Some("pay"), Some("state")]);
        // A pause is not a part of the latency.
        assert!(
            document["requests"][1]["latency_ms"]["from_schedule"]["max"].as_f64().is_some_and(|ms| ms > 0.0)
        );
        assert_eq!(document["rate"]["asked"].as_f64(), Some(120.0));
    }
}

#[test]
fn users_go_through_flows_one_after_another() {
    let (url, log) = shop();
    let plan = Plan {
        drive: Drive::Users { users: 2, think: Duration::from_millis(10) },
        connections: 2,
        ..plan(loaded(FLOW, &url, 1).unwrap(), 1, 1)
    };
    let run = accounted(&plan);
    let flows = run.tally.flows[0];
    assert!(flows.planned >= 2 && flows.completed == flows.planned, "{flows:?}");
    assert_eq!(run.counts.responses, 3 * flows.completed);
    assert_eq!(lines(&log).get("POST /orders").copied(), usize::try_from(flows.planned).ok());
}

#[test]
fn what_follows_a_failure_in_a_flow_is_never_sent() {
    let text = r#"
[[flow]]
[[flow.step]]
name = "first"
path = "/fail"
[[flow.step]]
name = "second"
path = "/a"
[[flow.step]]
name = "third"
path = "/b"
"#;
    let (url, log) = shop();
    let failing = plan(loaded(text, &url, 1).unwrap(), 5, 2);
    let run = accounted(&failing);
    assert_eq!((run.planned, run.counts.responses, run.counts.unsent, run.counts.skipped), (15, 5, 10, 10));
    assert_eq!((lines(&log).len(), run.counts.failed_responses()), (1, 5));
    let document = document(&failing, &run);
    assert_eq!(
        document["unsent_because"],
        serde_json::json!({"no-connection": 0, "earlier-request": 10, "value": 0})
    );
    assert_eq!(document["flows"][0]["completed"], 0);
    // The same if there is no answer at all.
    let (url, _) = service(|_| Vec::new());
    let run = accounted(&plan(loaded(text, &url, 1).unwrap(), 5, 2));
    assert_eq!((run.counts.failed(), run.counts.unsent), (5, 10));
}

#[test]
fn flows_that_are_not_through_at_the_end_are_accounted_for() {
    let text =
        "[[flow]]\n[[flow.step]]\nname='a'\npath='/a'\n[[flow.step]]\nname='b'\npath='/b'\nthink='60000ms'";
    let (url, _) = shop();
    let plan = Plan { timeout: Duration::from_millis(300), ..plan(loaded(text, &url, 1).unwrap(), 6, 2) };
    let run = accounted(&plan);
    assert_eq!((run.planned, run.counts.responses, run.counts.skipped), (12, 6, 6));
    assert!(run.wall_seconds < 10.0, "{}", run.wall_seconds);
}

const MIX: &str = "[[request]]\nname='a'\nweight=3\npath='/a'\n[[request]]\nname='b'\npath='/b?n={{random.int 1 1000}}&s={{sequence}}'\n\
                   [[request]]\nname='never'\nweight=0\npath='/never'\n";

#[test]
fn weights_choose_the_same_requests_with_any_number_of_threads() {
    let of = |seed, threads| {
        let (url, log) = shop();
        let run = accounted(&plan(loaded(MIX, &url, seed).unwrap(), 200, threads));
        assert_eq!(run.counts.responses, 200);
        (
            lines(&log),
            run.tally.requests.iter().map(load::scenario::RequestTally::planned).collect::<Vec<_>>(),
        )
    };
    let (lines, counts) = of(1, 1);
    assert_eq!((lines.clone(), counts.clone()), of(1, 3));
    assert_ne!(lines, of(2, 1).0);
    // 150 are expected, with a standard deviation of 6.
    assert!((120..180).contains(&counts[0]) && counts[2] == 0, "{counts:?}");
}

#[test]
fn responses_that_fail_a_check_are_counted_by_request_and_check() {
    let text = r#"
[[request]]
name = "wrong state"
path = "/a"
expect = { json = { "$.state" = "open" } }
[[request]]
name = "wrong status"
path = "/fail"
expect = { status = 200 }
[[request]]
name = "too large"
path = "/large"
expect = { body_contains = "x" }
[[request]]
name = "fine"
path = "/b"
expect = { status = 200, body_contains = "paid" }
"#;
    let (url, _) = shop();
    let plan = plan(loaded(text, &url, 3).unwrap(), 40, 2);
    let run = accounted(&plan);
    let document = document(&plan, &run);
    let planned: Vec<u64> = run.tally.requests.iter().map(load::scenario::RequestTally::planned).collect();
    for (at, check) in ["json $.state", "status", "body too large"].into_iter().enumerate() {
        assert!(planned[at] > 0, "{planned:?}");
        assert_eq!(document["requests"][at]["failed_checks"], serde_json::json!({check: planned[at]}));
    }
    assert_eq!(document["requests"][3]["failed_checks"], serde_json::json!({}));
    let failed = planned[0] + planned[1] + planned[2];
    assert_eq!((run.counts.responses, document["failed_checks"].as_u64()), (40, Some(failed)));
    // What failed by its status and by a check fails once.
    assert_eq!(document["failed_responses"].as_u64(), Some(failed));
    let errors: load::Objective = "errors<1%".parse().unwrap();
    let load::Verdict::Missed(share) = errors.verdict(&plan, &run) else { unreachable!("they are above") };
    assert!((share - failed as f64 / 40.0).abs() < 1e-9, "{share}");
}

#[test]
fn a_value_cannot_add_a_header() {
    let text = "[[csv]]\nfile = 'evil.csv'\n[[request]]\nname = 'a'\npath = '/p/{{value}}'\nbody = '{{value}}'\n\
                [[request]]\nname = 'b'\npath = '/b'\nheaders = { X-Value = '{{value}}' }";
    let (url, log) = shop();
    let run = accounted(&plan(loaded(text, &url, 1).unwrap(), 40, 1));
    let of_header = run.tally.requests[1].counts.clone();
    assert!(run.counts.refused > 0 && of_header.sent > 0, "{:?}", run.counts);
    assert_eq!((run.counts.unsent, of_header.unsent), (run.counts.refused, run.counts.refused));
    assert_eq!(run.tally.requests[0].counts.unsent, 0);
    assert!(
        lines(&log).contains_key("GET /p/a%0D%0AX-Injected%3A%201")
            || lines(&log).contains_key("POST /p/a%0D%0AX-Injected%3A%201")
    );
    let log = log.lock().unwrap();
    assert!(log.iter().all(|of| of.headers.iter().all(|of| !of.starts_with("X-Injected"))), "{log:?}");
}

#[test]
fn a_location_of_another_origin_is_not_asked() {
    let text = "[[flow]]\n[[flow.step]]\nname='a'\npath='/a'\nextract = { next = { regex = '.+' } }\n\
                [[flow.step]]\nname='b'\npath='{{next}}'";
    let own = Arc::new(Mutex::new(String::new()));
    for (next, refused, responses) in [
        ("http://192.0.2.1/x", 5, 5),
        ("{own}x/x", 5, 5),
        ("//192.0.2.1/x", 5, 5),
        ("{own}/x y\u{e9}#top", 0, 10),
    ] {
        let origin = Arc::clone(&own);
        let (url, log) = service(move |_| {
            answer(200, "", &next.replace("{own}", &origin.lock().unwrap()).replace(' ', "%20"))
        });
        own.lock().unwrap().clone_from(&url);
        let run = accounted(&plan(loaded(text, &url, 1).unwrap(), 5, 1));
        assert_eq!((run.counts.refused, run.counts.responses), (refused, responses), "{next}");
        assert_eq!(lines(&log).contains_key("GET /x%20y%C3%A9"), refused == 0);
    }
}

#[test]
fn what_is_wrong_is_found_before_the_run() {
    let check = |text: &str, expected: &str| {
        let error = loaded(text, "http://127.0.0.1:1", 1).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n{error}");
    };
    check("[[request]]\npath='/{{order}}'", "request 1: path: `{{order}}` has no source");
    check(
        "[[flow]]\n[[flow.step]]\npath='/{{a}}'\nextract={a={json='$.a'}}",
        "flow 1, step 1: path: `{{a}}` has no source",
    );
    check(
        "[[request]]\npath='http://other.invalid/a'",
        "is of another origin than http://127.0.0.1:1: a run has one origin",
    );
    check("[[request]]\npath='a'", "is not a path");
    check("[[request]]\npath='/a b'", "must be percent-encoded");
    check("[[request]]\npath='http://127.0.0.1:1{{random.int 1 2}}/a'", "no path");
    check("[[request]]\npath='/a'\nheaders={ 'A B' = '1' }", "is not the name of a header");
    check("[[request]]\npath='/a'\nheaders={ A = \"1\\r\\nB: 2\" }", "control character");
    check("[[request]]\npath='/a'\nheaders={ A = 1 }", "expected a text");
    check("[[request]]\npath='/a'\n[[request]]\npath='/a'", "two requests of the name `GET /a`");
    check("[[request]]\npath='/a'\nweight=0", "all weights are 0");
    check("[[request]]\npath='/a'\nwieght=1", "unknown field `wieght`");
    check("[[request]]\npath='/a'\nextract={a={json='$.a'}}", "belong to the steps of a flow");
    check("[[request]]\npath='/a'\nbody_file='none'", "none: ");
    check("[[request]]\npath='/a'\nbody_file='none'\nbody=''", "not both");
    check("[[csv]]\nfile='none'\n[[request]]\npath='/a'", "none: ");
    check(
        "[variables]\nuser='a'\n[[csv]]\nfile='users.csv'\n[[request]]\npath='/a'",
        "two values of the name `user`",
    );
    check("[[request]]\npath='/a'\n[[flow]]\nname='x'", "flow 1 (`x`): expected at least one [[flow.step]]");
    check("", "expected 1 to 64 requests, found 0");
    check(&"[[request]]\npath='/a'\n".repeat(65), "found 65");
    let parse = |text: &str, url| Loaded::parse(text, url, 1, &|_| Ok(Vec::new()), &|_| Ok(Duration::ZERO));
    assert!(matches!(parse("[[request]]\npath='/a'", None), Err(ScenarioError::NoUrl)));
    assert!(matches!(
        parse("[[request]]\npath='/a'", Some("http://a/b")),
        Err(ScenarioError::UrlWithPath(_))
    ));
    let of =
        parse("allow=['a.example']\n[[request]]\npath='http://a.example:81/x'\n[[request]]\npath='/y'", None)
            .unwrap();
    assert_eq!((of.target.url().as_str(), of.allow), ("http://a.example:81/", vec!["a.example".to_owned()]));
}

proptest! {
    #[test]
    fn any_text_is_a_scenario_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_any(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_values_in_a_scenario_are_a_scenario_or_an_error(path in "(/|http://127.0.0.1)?.{0,20}", header in ".{0,20}", pattern in ".{0,20}", json in "\\$?.{0,10}", weight in any::<i64>()) {
        let mut step = toml::Table::new();
        step.insert("path".to_owned(), path.into());
        let expect = toml::Table::from_iter([("body_matches".to_owned(), toml::Value::from(pattern)), ("json".to_owned(), toml::Table::from_iter([(json.clone(), toml::Value::from(weight))]).into())]);
        step.insert("headers".to_owned(), toml::Table::from_iter([("A".to_owned(), toml::Value::from(header))]).into());
        step.insert("expect".to_owned(), expect.into());
        step.insert("extract".to_owned(), toml::Table::from_iter([(json.clone(), toml::Table::from_iter([("json".to_owned(), toml::Value::from(json))]).into())]).into());
        let flow = toml::Table::from_iter([("step".to_owned(), toml::Value::Array(vec![step.into()])), ("weight".to_owned(), (weight & 3).into())]);
        let file = toml::Table::from_iter([("flow".to_owned(), toml::Value::Array(vec![flow.into()]))]);
        check_any(&file.to_string());
    }
}

fn check_any(text: &str) {
    if let Err(error) = loaded(text, "http://127.0.0.1", 1) {
        assert!(!error.to_string().is_empty());
    }
}

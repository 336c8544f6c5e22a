//! `casebook load` through the program: what it prints, keeps and refuses.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{json, refused, run};
use serde_json::Value;
use std::net::TcpListener;
use std::time::Duration;

/// A service on this machine that answers at once.
fn service() -> String {
    program::service(Duration::ZERO)
}

/// planned = responses + errors + timeouts + unsent.
fn accounted(document: &Value) -> u64 {
    let count = |name: &str| document[name].as_u64().unwrap();
    let errors: u64 = document["errors"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(
        count("planned"),
        count("responses") + errors + count("timeouts") + count("unsent"),
        "{document}"
    );
    count("planned")
}

#[test]
fn a_rate_is_kept_and_every_request_accounted_for() {
    let url = service();
    let of =
        json(&["load", &url, "--rate", "50", "-d", "2s", "-c", "4", "--warmup", "500ms", "--format", "json"]);
    assert_eq!(
        (accounted(&of), of["responses"].as_u64(), of["status"]["200"].as_u64()),
        (100, Some(100), Some(100))
    );
    assert_eq!((of["rate"]["asked"].as_f64(), of["warmup"]["planned"].as_u64()), (Some(50.0), Some(25)));
    assert!(of["latency_ms"]["from_schedule"]["p50"].as_f64().unwrap() > 0.0, "{of}");
    // Of 100 requests, one is above p99, which is too few to say what p99 is.
    assert!(
        of["latency_ms"]["from_schedule"]["p99"].is_null() && of["client"]["limited"].is_boolean(),
        "{of}"
    );
    let rows = of["by_second"]["rows"].as_array().unwrap();
    assert_eq!(rows.iter().filter_map(|row| row[2].as_u64()).sum::<u64>(), 100);
}

#[test]
fn a_peer_that_refuses_is_counted_by_kind() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let of = json(&["load", &format!("http://{unused}/"), "--rate", "20", "-d", "1s", "--format", "json"]);
    assert_eq!((accounted(&of), of["errors"]["refused"].as_u64()), (20, Some(20)));
}

#[test]
fn load_goes_nowhere_but_where_the_user_said_it_may() {
    for url in ["http://service.invalid/", "http://192.0.2.1/", "http://localhost.invalid/"] {
        let said = refused(&["load", url, "--rate", "10", "-d", "1s"]);
        assert!(said.contains("--yes-this-host"), "{url}: {said}");
    }
    let allowed = ["--yes-this-host", "service.invalid", "--format", "json"];
    let of = json(&[&["load", "http://service.invalid/", "--rate", "10", "-d", "1s"][..], &allowed].concat());
    assert_eq!((accounted(&of), of["errors"]["resolve"].as_u64()), (10, Some(10)));
}

#[test]
fn an_objective_that_is_missed_or_cannot_be_judged_is_exit_code_1() {
    let url = service();
    let code =
        |objective: &str| run(&["load", &url, "--rate", "20", "-d", "1s", "--slo", objective]).status.code();
    assert_eq!(["errors<=0%", "max<60s", "rate>=1", "p50<60s"].map(code), [Some(0); 4]);
    assert_eq!(["max<0.0001ms", "rate>1000", "p99<60s"].map(code), [Some(1); 3]);
    assert_eq!(code("p99"), Some(2));
}

#[test]
fn a_kept_run_is_a_folder_without_what_may_be_secret() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let url = service();
    let args = [
        "load",
        &url,
        "--rate",
        "50",
        "-d",
        "1s",
        "-H",
        "Authorization: hunter2",
        "-o",
        out.to_str().unwrap(),
    ];
    let output = run(&args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let texts = ["exhibit.toml", "run.json", "latency.hlog"]
        .map(|name| std::fs::read_to_string(out.join(name)).unwrap());
    assert!(
        texts[0].contains("kind = \"load\"") && texts[0].contains("state = \"complete\""),
        "{}",
        texts[0]
    );
    assert!(!texts.concat().contains("hunter2"));
    assert_eq!(accounted(&serde_json::from_str(&texts[1]).unwrap()), 50);
    assert!(texts[2].contains("Tag=schedule,0.000,1.000,") && texts[2].contains("Tag=send,"));
    // The same place twice: nothing is replaced.
    assert_eq!(run(&args).status.code(), Some(2));
}

#[test]
fn a_scenario_has_figures_of_each_request_and_its_failed_checks_are_errors() {
    let url = service();
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("shop.toml"), folder.path().join("run"));
    let text = format!(
        "url = '{}'\nrate = 40\nduration = '1s'\nslo = ['errors<1%']\n[[csv]]\nfile = 'users.csv'\n\
         [[request]]\nname = 'good'\npath = '/{{{{user}}}}'\nexpect = {{ status = 200, body_contains = 'ok' }}\n\
         [[flow]]\nname = 'two'\n[[flow.step]]\nname = 'bad'\nbody_file = 'body'\npath = '/b'\nexpect = {{ status = 201 }}\n\
         [[flow.step]]\nname = 'after'\npath = '/c'\n",
        url.trim_end_matches('/')
    );
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.path().join("users.csv"), "user\nann\n").unwrap();
    std::fs::write(folder.path().join("body"), b"\x00\xff").unwrap();
    let [path, kept] = [&file, &out].map(|path| path.to_str().unwrap());
    let output = run(&["load", "--scenario", path, "-o", kept, "--requests", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let of: Value = serde_json::from_slice(&output.stdout).unwrap();
    let planned = accounted(&of);
    let count = |at: usize, name: &str| of["requests"][at][name].as_u64().unwrap();
    let bad = count(1, "planned");
    assert_eq!((planned, count(0, "planned") + bad), (40 + bad, 40));
    assert_eq!((count(2, "unsent"), &of["requests"][1]["failed_checks"]["status"]), (bad, &Value::from(bad)));
    assert_eq!((of["failed_checks"].as_u64(), of["flows"][0]["completed"].as_u64()), (Some(bad), Some(0)));
    // The evidence has the same share of errors.
    let share =
        json(&["query", kept, "select value from metrics where name = 'error_share'", "--format", "json"]);
    let expected = 2.0 * bad as f64 / planned as f64;
    assert!(share.to_string().contains(&format!("{expected:.4}")[..5]), "{share} {expected}");
    // The steps that were never sent are no sign of a service that is too slow.
    let explained = json(&["explain", kept, "--format", "json"]);
    let findings = explained["findings"].as_array().unwrap().iter();
    let found: Vec<&str> =
        findings.filter(|of| of["severity"] != "note").map(|of| of["id"].as_str().unwrap()).collect();
    assert_eq!(found, ["load-errors"]);
    // Each request that was kept knows which of the scenario it is.
    let kept_of = "select b.name, count(*), sum(r.outcome = 'unsent') from requests r join by_request b on b.number = r.request \
        group by 1 having count(*) = b.planned and sum(r.outcome = 'unsent') = b.unsent order by b.number";
    let rows = json(&["query", kept, kept_of, "--format", "json"])["rows"].clone();
    assert_eq!(rows, serde_json::json!([["good", 40 - bad, 0], ["bad", bad, 0], ["after", bad, bad]]));
    let page = String::from_utf8(run(&["load", "--scenario", path, "--slo", "rate>0"]).stdout).unwrap();
    assert!(page.contains("good") && page.contains("two: 0 of"), "{page}");
}

#[test]
fn a_scenario_goes_nowhere_but_where_its_user_said_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    let path = file.to_str().unwrap();
    let write = |text: &str| {
        std::fs::write(&file, format!("{text}\nrate = 10\nduration = '1s'\n[[request]]\npath = '/'\n"))
            .unwrap();
    };
    write("url = 'http://service.invalid'");
    assert!(refused(&["load", "--scenario", path]).contains("--yes-this-host"));
    write("url = 'http://service.invalid'\nallow = ['service.invalid']");
    let of = json(&["load", "--scenario", path, "--format", "json"]);
    assert_eq!((accounted(&of), of["errors"]["resolve"].as_u64()), (10, Some(10)));
    assert!(refused(&["load", "http://other.invalid", "--scenario", path]).contains("--yes-this-host"));
    for (more, expected) in [
        ("bogus = 1", "unknown field `bogus`"),
        ("slo = ['p99']", "is not an objective"),
        ("[[request]]\nweight = 0.5\npath = '/'", "a whole number, such as 3"),
    ] {
        write(&format!("url = 'http://127.0.0.1:1'\n{more}"));
        assert!(refused(&["load", "--scenario", path]).contains(expected), "{more}");
    }
    assert!(refused(&["load", "--scenario", "/dev/zero"]).contains("not a file"));
    assert_eq!(run(&["load"]).status.code(), Some(2));
}

#[test]
fn what_curl_asked_becomes_a_scenario_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let url = service();
    let folder = tempfile::tempdir().unwrap();
    let (lines, file) = (folder.path().join("lines.sh"), folder.path().join("a.toml"));
    std::fs::write(&lines, format!("curl '{url}orders?a={{{{b}}}}' -H 'Cookie: secret=1' -k\ncurl {url}\n"))
        .unwrap();
    let [from, to] = [&lines, &file].map(|path| path.to_str().unwrap());
    let output = run(&["load", "import", from, "-o", to]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("2 different requests") && said.contains("1 × -k") && said.contains("secrets"),
        "{said}"
    );
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let of = json(&["load", "--scenario", to, "--rate", "20", "-d", "1s", "--format", "json"]);
    assert_eq!((accounted(&of), of["responses"].as_u64()), (20, Some(20)));
    assert!(refused(&["load", "import", "/dev/null"]).contains("not a file"));
    // A scenario that was edited is not lost.
    assert!(refused(&["load", "import", from, "-o", to]).contains("--force"));
    assert_eq!(run(&["load", "import", from, "-o", to, "--force"]).status.code(), Some(0));
    assert!(refused(&["load", &url, "-o", "-"]).contains("needs a name"));
}

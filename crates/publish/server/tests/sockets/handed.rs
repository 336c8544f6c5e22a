//! Tokens that a page in a file hands over, and what others can do with that way in.

use crate::client::{Client, PATIENCE, ask, get};
use crate::lab::{Lab, until};
use base::time::Deadline;
use server::{Handover, Limits};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a browser says when a page in a file posts its form. The first is Chromium's and Firefox's.
const FROM_A_FILE: [&str; 3] = [
    "Origin: null\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
    "Origin: file://\r\n",
    "",
];

/// The body that the page's form posts.
fn form(handed: &Handover) -> String {
    let page = handed.page();
    let value = page.split_once("name=\"token\" value=\"").unwrap().1;
    format!("token={}", value.split_once('"').unwrap().0)
}

/// A `POST` with a form, and with further header lines.
fn post(port: u16, target: &str, headers: &str, body: &str) -> String {
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let length = body.len();
    let head = get(port, target, &format!("{kind}Content-Length: {length}\r\n{headers}"));
    head.replacen("GET", "POST", 1) + body
}

/// Waits as long as its token is good for something.
fn wait(handed: Handover) -> JoinHandle<()> {
    let waiting = move || handed.wait(PATIENCE);
    std::thread::Builder::new().name("waits".into()).spawn(waiting).unwrap()
}

/// Nobody has used the token up.
fn assert_open(lab: &Lab, handed: &Handover) {
    assert_eq!(ask(lab.port, post(lab.port, "/enter", FROM_A_FILE[0], &form(handed))).status, 200);
}

#[test]
fn a_page_in_a_file_gives_a_browser_the_cookie_and_goes_on_by_itself() {
    for headers in FROM_A_FILE {
        let lab = Lab::new();
        let answer = ask(lab.port, post(lab.port, "/enter", headers, &form(&lab.hand_over())));
        // Not redirected: a browser would send no cookie of SameSite=Strict along.
        assert_eq!((answer.status, answer.header("location")), (200, None), "{headers}");
        let cookie = lab.admitted(&answer);
        let pages = format!("{}/", lab.folder());
        let refresh = format!("0;url=http://127.0.0.1:{}{pages}", lab.port);
        assert_eq!(answer.header("refresh"), Some(refresh.as_str()));
        assert_eq!(answer.header("clear-site-data"), Some("\"storage\""));
        assert!(answer.text().contains(&format!("<a href=\"{pages}\">")), "{}", answer.text());
        assert_eq!(ask(lab.port, lab.get("/", &cookie)).status, 200);
        assert_eq!(lab.asked(), 1);
    }
}

#[test]
fn a_key_in_a_file_that_somebody_keeps_works_no_second_time() {
    let lab = Lab::new();
    let handed = lab.hand_over();
    assert_open(&lab, &handed);
    let again = ask(lab.port, post(lab.port, "/enter", FROM_A_FILE[0], &form(&handed)));
    assert_eq!((again.status, again.header("set-cookie")), (403, None));
    assert!(again.text().contains("press Enter in the terminal in which lab runs"), "{}", again.text());
    let as_link = ask(lab.port, get(lab.port, &format!("/?{}", form(&handed)), ""));
    assert_eq!((as_link.status, as_link.header("set-cookie")), (403, None));
}

#[test]
fn whoever_wrote_the_file_learns_that_it_was_used() {
    let lab = Lab::new();
    let handed = lab.hand_over();
    let form = form(&handed);
    let waiting = wait(handed);
    assert!(!waiting.is_finished());
    assert_eq!(ask(lab.port, post(lab.port, "/enter", "", &form)).status, 200);
    until("the wait ends", || waiting.is_finished());
}

#[test]
fn a_key_in_a_file_that_nobody_opens_ends_with_its_time_and_with_the_server() {
    let lab = Lab::new();
    let handed = lab.hand_over();
    let late = form(&handed);
    handed.wait(Duration::ZERO);
    assert_eq!(ask(lab.port, post(lab.port, "/enter", "", &late)).status, 403);

    let handed = lab.hand_over();
    let waiting = wait(handed);
    lab.end();
    until("the wait ends", || waiting.is_finished());
}

#[test]
fn a_page_of_another_site_that_posts_even_the_right_key_gets_nothing_and_does_not_use_it_up() {
    let lab = Lab::new();
    let handed = lab.hand_over();
    let other_port = format!("Origin: http://127.0.0.1:{}\r\n", lab.port.wrapping_add(1));
    for foreign in [
        "Origin: http://evil.example\r\n",
        "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
        "Origin: null\r\nOrigin: http://evil.example\r\n",
        // Without leaving its own page: from a script, a frame.
        "Origin: null\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: empty\r\n",
        "Origin: null\r\nSec-Fetch-Mode: cors\r\n",
        "Origin: null\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
        "Origin: null\r\nSec-Purpose: prefetch\r\n",
        &other_port,
    ] {
        let answer = ask(lab.port, post(lab.port, "/enter", foreign, &form(&handed)));
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{foreign}");
    }
    assert_open(&lab, &handed);
}

#[test]
fn a_key_that_is_guessed_opens_nothing() {
    let lab = Lab::new();
    let handed = lab.hand_over();
    let right = form(&handed);
    for guess in [
        "",
        "token=",
        "token",
        "token=00000000000000000000000000000000",
        &right[..right.len() - 1],
        &right[6..],
    ] {
        let answer = ask(lab.port, post(lab.port, "/enter", FROM_A_FILE[0], guess));
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{guess}");
    }
    // In an address it would be in the history, so a link with it is not what the form posts.
    let query = ask(lab.port, post(lab.port, &format!("/enter?{right}"), FROM_A_FILE[0], ""));
    assert_eq!(query.status, 403);
    assert_open(&lab, &handed);
}

#[test]
fn a_name_that_is_rebound_to_this_machine_uses_no_key_in_a_file_up() {
    let lab = Lab::new();
    let handed = lab.hand_over();
    let rebound = post(lab.port, "/enter", FROM_A_FILE[0], &form(&handed));
    let rebound = rebound.replacen("Host: 127.0.0.1", "Host: evil.example", 1);
    let answer = ask(lab.port, rebound);
    assert_eq!((answer.status, answer.header("set-cookie")), (421, None));
    assert_open(&lab, &handed);
}

#[test]
fn nothing_but_a_small_form_to_the_one_path_is_taken() {
    let lab = Lab::new();
    let handed = lab.hand_over();
    let right = post(lab.port, "/enter", "", &form(&handed));
    let check = |request: String, expected: u16| {
        let answer = ask(lab.port, &request);
        assert_eq!((answer.status, answer.header("set-cookie")), (expected, None), "{request}");
    };
    check(right.replacen("/enter", "/", 1), 405);
    check(right.replacen("/enter", "/enter/", 1), 405);
    check(right.replacen("POST", "PUT", 1), 405);
    check(right.replacen("POST", "GET", 1), 413);
    check(right.replacen("x-www-form-urlencoded", "json", 1), 403);
    check(right.replacen("application/x-www-form-urlencoded", "text/plain", 1), 403);
    check(post(lab.port, "/enter", "", &format!("{}&{}", form(&handed), "a".repeat(1024))), 413);
    check(post(lab.port, "/enter", "", "").replacen("Length: 0", "Length: 99999999999", 1), 413);
    let chunked =
        post(lab.port, "/enter", "", "").replacen("Content-Length: 0", "Transfer-Encoding: chunked", 1);
    let chunk = format!("400\r\n{}\r\n", "a".repeat(0x400));
    check(format!("{chunked}{chunk}{chunk}0\r\n\r\n"), 413);
    check(chunked + "zz\r\n", 413);
    assert_open(&lab, &handed);
}

#[test]
fn a_form_that_comes_a_byte_at_a_time_does_not_hold_a_connection() {
    let short = Duration::from_millis(100);
    let lab = Lab::with(Limits { head_time: short, ..Limits::of_one_user() });
    let mut client = Client::new(lab.port);
    let head = post(lab.port, "/enter", "", "").replacen("Length: 0", "Length: 1000", 1);
    client.send(head);
    let deadline = Deadline::after(PATIENCE);
    while client.send("a") && deadline.pause(short / 10) {}
    assert!(!deadline.is_past());
    // The client may get an answer that says so; then the connection ends.
    client.rest();
    let report = lab.end();
    assert_eq!(report.slow + report.refused, 1, "{report:?}");
}

#[test]
fn forms_that_never_come_whole_keep_nobody_out() {
    let lab = Lab::with(Limits { connections: 4, ..Limits::of_one_user() });
    let cookie = lab.cookie();
    let head = post(lab.port, "/enter", "", "").replacen("Length: 0", "Length: 1000", 1);
    let mut silent: Vec<Client> = (0..8).map(|_| Client::new(lab.port)).collect();
    for client in &mut silent {
        client.send(&head);
    }
    assert_eq!(ask(lab.port, lab.get("/", &cookie)).status, 200);
}

#[test]
fn the_page_for_the_file_names_the_key_once_and_asks_nobody_else() {
    let lab = Lab::new();
    let handed = lab.hand_over();
    let page = handed.page();
    assert_eq!(page.matches(&form(&handed)["token=".len()..]).count(), 1);
    assert_eq!(page.matches("http:").count(), 1, "{page}");
    assert!(page.contains(&format!("method=\"post\" action=\"http://127.0.0.1:{}/enter\"", lab.port)));
    assert!(page.contains("<meta name=\"referrer\" content=\"no-referrer\">"));
    assert!(!format!("{handed:?}").contains(&form(&handed)["token=".len()..]));
}

//! Bytes that nobody expects.

use crate::client::{Client, ask, get};
use crate::lab::Lab;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use server::Limits;
use std::time::Duration;

fn runner() -> TestRunner {
    TestRunner::new(Config { cases: 256, failure_persistence: None, ..Config::default() })
}

/// Pieces of requests, right and wrong, in any order.
fn requests(lab: &Lab, cookie: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let port = lab.port;
    let piece = prop_oneof![
        4 => vec(any::<u8>(), 0..64),
        1 => Just(lab.get("/x", cookie).into_bytes()),
        1 => Just(b"GET ".to_vec()),
        1 => Just(b" HTTP/1.1\r\n".to_vec()),
        1 => Just(format!("Host: 127.0.0.1:{port}\r\n{cookie}").into_bytes()),
        1 => Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        1 => Just(b"Content-Length: -1\r\n".to_vec()),
        1 => Just(b"Upgrade: h2c\r\nConnection: upgrade\r\n".to_vec()),
        1 => Just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        1 => Just(b"\r\n\r\n".to_vec()),
        1 => Just(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        1 => Just(vec![b'a'; 70_000]),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

#[test]
fn no_bytes_at_all_stop_the_server() {
    let lab = Lab::with(Limits { head_time: Duration::from_millis(200), ..Limits::of_one_user() });
    let cookie = lab.cookie();
    let sent = runner().run(&requests(&lab, &cookie), |bytes| {
        let mut client = Client::new(lab.port);
        client.send(&bytes);
        client.end();
        client.rest();
        match ask(lab.port, lab.get("/alive", &cookie)).status {
            200 => Ok(()),
            status => Err(TestCaseError::fail(format!("{status} behind {}", bytes.escape_ascii()))),
        }
    });
    sent.unwrap();
    let report = lab.end();
    assert_eq!(report.broken, 0);
}

#[test]
fn any_target_is_answered_by_the_site_or_refused() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let letters =
        prop_oneof![4 => any::<u8>(), 1 => Just(b'%'), 1 => Just(b'&'), 1 => Just(b'/'), 1 => Just(b'?')];
    let sent = runner().run(&vec(letters, 0..200), |target| {
        let mut request = format!("GET {}/", lab.folder()).into_bytes();
        request.extend(&target);
        request.extend(get(lab.port, "", &cookie)["GET ".len()..].bytes());
        match ask(lab.port, request).status {
            200 | 400 | 403 | 413 | 421 => Ok(()),
            status => Err(TestCaseError::fail(format!("{status} to {}", target.escape_ascii()))),
        }
    });
    sent.unwrap();
    assert_eq!(lab.end().broken, 0);
}

//! The shape of answers: methods, headers, tags, packing, targets.

use crate::client::{Client, ask, get};
use crate::lab::Lab;
use flate2::read::GzDecoder;
use server::Limits;
use std::io::Read as _;

#[test]
fn nothing_can_be_changed_or_sent() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"] {
        let answer = ask(lab.port, lab.get("/", &cookie).replacen("GET", method, 1));
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let with_body = |headers: &str| get(lab.port, "/", &format!("{cookie}{headers}"));
    let post = with_body("Content-Length: 3\r\n").replacen("GET", "POST", 1) + "a=b";
    assert_eq!(ask(lab.port, post).status, 405);
    assert_eq!(ask(lab.port, with_body("Content-Length: 3\r\n") + "a=b").status, 413);
    assert_eq!(ask(lab.port, with_body("Content-Length: 99999999999\r\n")).status, 413);
    assert_eq!(ask(lab.port, with_body("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n").status, 413);
    assert_eq!(lab.asked(), 0);
}

#[test]
fn a_head_has_the_headers_of_a_get_and_no_body() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    for (target, packing) in
        [("/x", ""), ("/asset", ""), ("/asset", "Accept-Encoding: gzip\r\n"), ("/nothing", "")]
    {
        let mut client = Client::new(lab.port);
        let request = lab.get(target, &format!("{cookie}{packing}"));
        assert!(client.send(request.replacen("GET", "HEAD", 1) + &request));
        let (head, whole) = (client.read(true).unwrap(), client.read(false).unwrap());
        let but_date = |headers: &[(String, String)]| -> Vec<(String, String)> {
            headers.iter().filter(|(name, _)| name != "date").cloned().collect()
        };
        assert_eq!(
            (head.status, but_date(&head.headers)),
            (whole.status, but_date(&whole.headers)),
            "{target}"
        );
        assert!(!whole.body.is_empty());
    }
}

/// Answers of every kind, by status.
fn of_every_kind(lab: &Lab) -> Vec<(u16, crate::client::Answer)> {
    let port = lab.port;
    let refused = [
        (403, get(port, "/", "")),
        (403, get(port, "/", "Sec-Fetch-Site: cross-site\r\n")),
        (405, get(port, "/", "").replacen("GET", "POST", 1)),
        (413, get(port, "/", "Content-Length: 1\r\n")),
        (414, get(port, &format!("/{}", "a".repeat(20_000)), "")),
        (421, get(port, "/", "").replacen("127", "128", 1)),
        (400, get(port, "/%ff", "")),
        (303, get(port, &lab.second_link, "")),
    ];
    let cookie = lab.cookie();
    let tag = ask(port, lab.get("/asset", &cookie)).header("etag").unwrap().to_owned();
    let answered = [
        (200, lab.get("/", &cookie)),
        (200, lab.get("/asset", &cookie)),
        (304, lab.get("/asset", &format!("{cookie}If-None-Match: {tag}\r\n"))),
        (404, lab.get("/nothing", &cookie)),
        (500, lab.get("/panic", &cookie)),
        (500, lab.get("/unsendable", &cookie)),
    ];
    refused.into_iter().chain(answered).map(|(status, request)| (status, ask(port, request))).collect()
}

#[test]
fn every_answer_has_the_headers_that_keep_it_safe() {
    let lab = Lab::new();
    for (status, answer) in of_every_kind(&lab) {
        assert_eq!(answer.status, status, "{answer:?}");
        for (name, value) in [
            (
                "content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name} of {answer:?}");
        }
        let kept =
            if answer.header("etag").is_some() { "private, max-age=31536000, immutable" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), Some(kept));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("server"), None);
    }
}

#[test]
fn an_asset_that_the_browser_has_is_not_sent_again() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let whole = ask(lab.port, lab.get("/asset", &cookie));
    let tag = whole.header("etag").unwrap();
    let check = |known: &str, expected: u16| {
        let mut client = Client::new(lab.port);
        client.send(lab.get("/asset", &format!("{cookie}If-None-Match: {known}\r\n")));
        let answer = client.read(false).unwrap();
        assert_eq!((answer.status, answer.header("etag")), (expected, Some(tag)), "{known}");
        assert_eq!(answer.body.is_empty(), expected == 304);
        // The connection goes on behind an answer without a body.
        client.send(lab.get("/x", &cookie));
        assert_eq!(client.read(false).unwrap().status, 200);
    };
    check(tag, 304);
    check(&format!("\"other\", {tag}"), 304);
    check("\"other\"", 200);
    let page = ask(lab.port, lab.get("/x", &format!("{cookie}If-None-Match: *\r\n")));
    assert_eq!((page.status, page.header("etag")), (200, None));
}

#[test]
fn a_body_is_packed_for_those_who_take_it() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let ask_with = |target: &str, accepted: &str| {
        ask(lab.port, lab.get(target, &format!("{cookie}Accept-Encoding: {accepted}\r\n")))
    };
    let plain = ask(lab.port, lab.get("/asset", &cookie));
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    let packed = ask_with("/asset", "br, gzip");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() < plain.body.len());
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    assert_eq!(packed.header("etag"), plain.header("etag"));

    let refused = ask_with("/asset", "gzip;q=0, identity");
    assert_eq!((refused.header("content-encoding"), &refused.body), (None, &plain.body));
    assert_eq!(ask_with("/x", "gzip").header("content-encoding"), None);
    assert_eq!(ask_with("/picture", "gzip").header("content-encoding"), None);
}

#[test]
fn a_site_sees_decoded_targets_and_damaged_ones_do_not_reach_it() {
    let lab = Lab::with(Limits { uri_bytes: 2000, ..Limits::of_one_user() });
    let cookie = lab.cookie();
    let check = |target: &str, expected: &str| {
        let answer = ask(lab.port, lab.get(target, &cookie));
        assert_eq!((answer.status, answer.text()), (200, expected), "{target}");
    };
    check("/a%20b?x=%3Cb%3E+c&y", r#""/a b" [("x", "<b> c"), ("y", "")]"#);
    check("/100%?%=%zz%2", r#""/100%" [("%", "%zz%2")]"#);
    check("/a%00b%0a?q=%00", r#""/a\0b\n" [("q", "\0")]"#);
    check("//evil.example//", r#""//evil.example//" []"#);
    check("/../../etc/passwd", r#""/../../etc/passwd" []"#);
    check("/%2e%2e%2fetc", r#""/../etc" []"#);
    check("/x?q=http://evil.example/?token", r#""/x" [("q", "http://evil.example/?token")]"#);

    let asked = lab.asked();
    let refused = |target: &[u8], expected: u16| {
        let mut request = b"GET ".to_vec();
        request.extend(target);
        request.extend(get(lab.port, "", &cookie)["GET ".len()..].bytes());
        let answer = ask(lab.port, request);
        assert_eq!(answer.status, expected, "{}", target.escape_ascii());
    };
    refused(b"/%ff", 400);
    refused(b"/?q=%c3%28", 400);
    refused(b"*", 400);
    refused(b"/a\0b", 400);
    refused(b"/a b", 400);
    refused(b"x", 421);
    refused(b"", 400);
    refused([b"/".as_slice(), &[b'a'; 2000]].concat().as_slice(), 414);
    refused([b"/?q=".as_slice(), &[b'%'; 1998]].concat().as_slice(), 414);
    refused("/a".repeat(100_000).as_bytes(), 431);
    assert_eq!(lab.asked(), asked);
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let mut client = Client::new(lab.port);
    let first = lab.get("/a", &cookie);
    // The second comes in pieces, the third with it.
    assert!(client.send(format!("{first}{}", &first[..10])));
    assert_eq!(client.read(false).unwrap().text(), "\"/a\" []");
    assert!(client.send(&first[10..]) && client.send(lab.get("/b", &cookie)));
    assert_eq!(client.read(false).unwrap().text(), "\"/a\" []");
    assert_eq!(client.read(false).unwrap().text(), "\"/b\" []");
    assert!(client.send(lab.get("/c", &format!("{cookie}Connection: close\r\n"))));
    assert_eq!(client.read(false).unwrap().status, 200);
    assert!(client.is_closed());
    assert_eq!(lab.end().broken_off, 0);
}

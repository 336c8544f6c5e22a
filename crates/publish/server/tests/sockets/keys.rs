//! Who gets in, and who does not.

use crate::client::{Answer, Client, ask, get};
use crate::lab::Lab;
use server::{Limits, LocalDoor, ServerOptions};

#[test]
fn a_link_gives_a_browser_a_cookie_and_leads_to_the_page_without_the_token() {
    let lab = Lab::new();
    let answer = ask(lab.port, get(lab.port, &format!("/gc{}&q=a%26b&q", &lab.link[1..]), ""));
    assert_eq!(answer.status, 303);
    lab.admitted(&answer);
    let folder = lab.folder();
    assert_eq!(folder.len(), 33);
    assert_eq!(
        answer.header("location"),
        Some(format!("http://127.0.0.1:{}{folder}/gc?q=a%26b&q", lab.port).as_str())
    );
    assert_eq!(answer.header("clear-site-data"), Some("\"storage\""));
    let (secret, attributes) = answer.header("set-cookie").unwrap().split_once("; ").unwrap();
    assert!(secret.starts_with(&format!("lab-{}=", lab.port)), "{secret}");
    assert_eq!(attributes, format!("HttpOnly; SameSite=Strict; Path={folder}/"));
    assert_eq!(lab.asked(), 0);

    let page = ask(lab.port, lab.get("/gc?q=a%26b&q", &format!("Cookie: a=b; {secret}\r\n")));
    assert_eq!((page.status, page.text()), (200, "\"/gc\" [(\"q\", \"a&b\"), (\"q\", \"\")]"));
}

#[test]
fn a_used_link_tells_whoever_opens_it_what_to_do() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let again = ask(lab.port, lab.get(&lab.link, &cookie));
    assert_eq!((again.status, again.header("set-cookie")), (303, None));
    assert_eq!(again.header("clear-site-data"), None);

    let other = ask(lab.port, get(lab.port, &lab.link, ""));
    assert_eq!((other.status, other.header("set-cookie")), (403, None));
    assert!(
        other.text().contains("press Enter in the terminal in which lab runs and open the new link"),
        "{}",
        other.text()
    );
    let bare = ask(lab.port, get(lab.port, "/", ""));
    assert_eq!((bare.status, bare.text()), (403, other.text()));
    assert_eq!(lab.asked(), 0);
}

#[test]
fn a_second_link_lets_a_second_browser_in_unless_the_first_has_used_it_up() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    assert_eq!(ask(lab.port, lab.get(&lab.second_link, &cookie)).status, 303);
    assert_eq!(ask(lab.port, get(lab.port, &lab.second_link, "")).status, 403);

    let lab = Lab::new();
    let first = lab.cookie();
    let second = ask(lab.port, get(lab.port, &lab.second_link, ""));
    assert!(first.contains(second.header("set-cookie").unwrap().split(';').next().unwrap()));
}

#[test]
fn only_the_whole_cookie_of_this_very_server_opens() {
    let (lab, other) = (Lab::new(), Lab::new());
    let (cookie, foreign) = (lab.cookie(), other.cookie());
    let check = |headers: &str, expected: u16| {
        assert_eq!(ask(lab.port, lab.get("/", headers)).status, expected, "{headers}");
    };
    let renamed = foreign.replace(&other.port.to_string(), &lab.port.to_string());
    check(&cookie, 200);
    check(&format!("{foreign}{cookie}"), 200);
    check(&cookie.replace("Cookie: ", "cookie: a; =; x=y;").replace("\r\n", " ;\r\n"), 200);
    check(&foreign, 403);
    check(&renamed, 403);
    check(&cookie.replace('=', "=0"), 403);
    check(&format!("{}\r\n", &cookie[..cookie.len() - 3]), 403);
    check(&format!("Cookie: lab-{}=\r\n", lab.port), 403);
    check(&format!("Cookie: lab-{}={}\r\n", lab.port, &lab.link["/?token=".len()..]), 403);
    check("Cookie: \u{fc}=\u{80}\r\n", 403);
}

#[test]
fn whoever_collects_the_cookie_at_another_port_opens_nothing_without_the_secret_folder() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let folder = lab.folder();
    let check = |target: &str, headers: &str, expected: u16| {
        let answer = ask(lab.port, get(lab.port, target, headers));
        assert_eq!(answer.status, expected, "{target}");
        assert!(expected == 200 || !format!("{answer:?}").contains(&folder[1..]), "{answer:?}");
    };
    check(&format!("{folder}/gc"), &cookie, 200);
    for target in ["/", "/gc", "//", "/enter", "/?token=", "/?token=0", &format!("/x{folder}/gc")] {
        check(target, &cookie, 403);
    }
    check(&folder[..32], &cookie, 403);
    check(&format!("{}/", &folder[..32]), &cookie, 403);
    check(&format!("{folder}0/"), &cookie, 403);
    check(&format!("{}/", folder.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A")), &cookie, 403);
    // Nor does the folder without the cookie.
    check(&format!("{folder}/"), "", 403);
    assert_eq!(lab.asked(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_by_chance_answers_to_its_name_and_through_tunnels() {
    let bound =
        server::bind(ServerOptions { program: "lab", host: None, port: 0, limits: Limits::of_one_user() })
            .unwrap();
    let (host, port) = (bound.host(), bound.port());
    let door = LocalDoor::new(&bound).unwrap();
    let links = door.links();
    let lab = Lab::behind(door, bound);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    let other = std::net::Ipv4Addr::from(u32::from(host) ^ 1);
    for (name, expected) in [
        (host.to_string(), 303),
        ("localhost".to_owned(), 303),
        ("127.0.0.1".to_owned(), 303),
        (other.to_string(), 421),
        (format!("{host}.evil.example"), 421),
    ] {
        let link = links.url().unwrap();
        let target = link.strip_prefix(&format!("http://{host}:{port}")).unwrap();
        let mut client = Client::at(host, port);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n"));
        let answer = client.read(false).unwrap();
        assert_eq!(answer.status, expected, "{name}");
        if expected == 303 {
            assert!(answer.header("location").unwrap().starts_with(&format!("http://{name}:{port}/")));
        }
    }
    lab.end();
}

#[test]
fn names_that_are_rebound_to_this_machine_get_nothing_and_use_no_token_up() {
    let lab = Lab::new();
    let port = lab.port;
    let check = |host: &str, expected: u16| {
        let request = format!("GET {} HTTP/1.1\r\n{host}\r\n", lab.link);
        let answer = ask(port, request);
        assert_eq!(
            (answer.status, answer.header("set-cookie").is_some()),
            (expected, expected == 303),
            "{host}"
        );
    };
    check(&format!("Host: evil.example:{port}\r\n"), 421);
    check(&format!("Host: 127.0.0.1.evil.example:{port}\r\n"), 421);
    check(&format!("Host: localhost@evil.example:{port}\r\n"), 421);
    check(&format!("Host: localhost.:{port}\r\n"), 421);
    check(&format!("Host: 0.0.0.0:{port}\r\n"), 421);
    check(&format!("Host: 127.0.0.1:{}\r\n", port.wrapping_add(1)), 421);
    check(&format!("Host: 127.0.0.1:0{port}\r\n"), 421);
    check("Host: 127.0.0.1\r\n", 421);
    check("Host: \r\n", 421);
    check("", 421);
    check(&format!("Host: 127.0.0.1:{port}\r\nHost: 127.0.0.1:{port}\r\n"), 421);
    check(&format!("Host: evil.example\r\nHost: 127.0.0.1:{port}\r\n"), 421);
    check(&format!("Host: LocalHost:{port}\r\n"), 303);
}

#[test]
fn a_target_that_names_another_host_than_the_header_is_refused() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let port = lab.port;
    let check = |target: &str, expected: u16| {
        assert_eq!(ask(port, get(port, target, &cookie)).status, expected, "{target}");
    };
    check(&format!("http://evil.example:{port}/"), 421);
    check(&format!("http://localhost:{port}/"), 421);
    check(&format!("https://127.0.0.1:{port}/"), 421);
    check(&format!("http://127.0.0.1:{port}{}/x", lab.folder()), 200);
}

/// What a browser says of a request that another site's page makes.
const FOREIGN: [&str; 9] = [
    "Sec-Fetch-Site: cross-site\r\n",
    "Sec-Fetch-Site: same-site\r\n",
    "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n",
    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\n",
    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: document\r\n",
    "Origin: http://evil.example\r\n",
    "Origin: null\r\n",
    "Origin: http://evil.example\r\n\
     Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
];

#[test]
fn pages_of_other_sites_get_nothing_and_use_no_token_up() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    for foreign in FOREIGN {
        let page = ask(lab.port, lab.get("/", &format!("{cookie}{foreign}")));
        assert_eq!(page.status, 403, "{foreign}");
        let link = ask(lab.port, get(lab.port, &lab.second_link, foreign));
        assert_eq!((link.status, link.header("set-cookie")), (403, None), "{foreign}");
    }
    let other_port = format!("{cookie}Origin: http://127.0.0.1:{}\r\n", lab.port.wrapping_add(1));
    assert_eq!(ask(lab.port, lab.get("/", &other_port)).status, 403);
    assert_eq!(lab.asked(), 0);

    let own = format!("{cookie}Origin: http://127.0.0.1:{}\r\nSec-Fetch-Site: same-origin\r\n", lab.port);
    assert_eq!(ask(lab.port, lab.get("/", &own)).status, 200);
    assert_eq!(ask(lab.port, get(lab.port, &lab.second_link, "Sec-Fetch-Site: none\r\n")).status, 303);
}

/// What a browser says where its user follows a link on a page of another site.
const FOLLOWED: &str =
    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";

#[test]
fn a_link_with_a_token_on_a_page_of_another_site_works_once() {
    let lab = Lab::new();
    let follow = |target: &str, headers: &str| -> Answer {
        ask(lab.port, get(lab.port, target, &format!("{FOLLOWED}{headers}")))
    };
    // Not redirected: a browser would send no cookie of SameSite=Strict along.
    let answer = follow(&format!("//x{}&a=%3B'", &lab.link[1..]), "");
    assert_eq!((answer.status, answer.header("location")), (200, None));
    let cookie = lab.admitted(&answer);
    let refresh = format!("0;url=http://127.0.0.1:{}{}//x?a=%3B'", lab.port, lab.folder());
    assert_eq!(answer.header("refresh"), Some(refresh.as_str()));
    assert_eq!(ask(lab.port, lab.get("//x", &cookie)).status, 200);

    let again = follow(&lab.link, "");
    assert_eq!((again.status, again.header("set-cookie")), (403, None));
    assert!(
        again.text().contains("If you meant to come here, <a href=\"\">open the page</a>"),
        "{}",
        again.text()
    );
    assert_eq!(follow("/", &cookie).status, 403);
    assert_eq!(follow(&lab.second_link, "Sec-Purpose: prefetch\r\n").status, 403);
    assert_eq!(follow(&lab.second_link, "").status, 200);
}

#[test]
fn what_is_fetched_ahead_does_not_use_the_token_up() {
    let lab = Lab::new();
    let check = |request: String| {
        let answer = ask(lab.port, request);
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None));
    };
    check(get(lab.port, &lab.link, "").replacen("GET", "HEAD", 1));
    for header in
        ["Sec-Purpose: prefetch;prerender", "Purpose: prefetch", "X-Moz: Prefetch", "X-Purpose: preview"]
    {
        check(get(lab.port, &lab.link, &format!("{header}\r\n")));
    }
    check(get(lab.port, "/?token=", ""));
    check(get(lab.port, "/?token=0&token=0", ""));
    let cookie = lab.cookie();
    // A browser that is in may fetch ahead what it likes.
    let ahead = ask(lab.port, lab.get("/", &format!("{cookie}Sec-Purpose: prefetch\r\n")));
    assert_eq!(ahead.status, 200);
}

#[test]
fn a_link_never_leads_to_another_host() {
    for path in ["//evil.example", "/\\evil.example", "/%0d%0aSet-Cookie:%20a=b", "///"] {
        let lab = Lab::new();
        let answer = ask(lab.port, get(lab.port, &format!("{path}{}", &lab.link[1..]), ""));
        lab.admitted(&answer);
        let expected = format!("http://127.0.0.1:{}{}{path}", lab.port, lab.folder());
        assert_eq!((answer.status, answer.header("location")), (303, Some(expected.as_str())));
    }
}

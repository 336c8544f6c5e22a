//! HTTP/2, to servers of `h2` that behave, and to some that do not.

#![expect(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use load::{Drive, Failure, Loaded, Plan, Protocol, Run, Schedule, Target, Trust, run};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::Builder;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;

/// What a server does with each request. It gets the number of the request on its connection.
type Answer = fn(u64, Request<RecvStream>, SendResponse<Bytes>);

/// Whom a client must trust, and what encrypts.
struct Tls {
    certificate: tempfile::NamedTempFile,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Encrypts for localhost, and offers these protocols.
    fn new(protocols: &[&[u8]]) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut certificate = tempfile::NamedTempFile::new().unwrap();
        certificate.write_all(made.cert.pem().as_bytes()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config =
            config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Self { certificate, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

/// How a server behaves.
#[derive(Clone, Copy)]
struct Server {
    answer: Answer,
    /// How many streams a connection may have at once.
    streams: u32,
    /// After how many requests a connection is closed.
    requests: u64,
}

impl Server {
    fn new(answer: Answer) -> Self {
        Self { answer, streams: 100, requests: u64::MAX }
    }

    /// Starts it. Returns its URL. It ends with the test's process.
    fn start(self) -> String {
        self.listen(None)
    }

    /// Starts it, encrypted.
    fn start_tls(self, tls: &Tls) -> String {
        let url = self.listen(Some(tls.acceptor.clone()));
        url.replace("http://127.0.0.1", "https://localhost")
    }

    fn listen(self, tls: Option<TlsAcceptor>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/a?b=c", listener.local_addr().unwrap());
        let serve = move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(LocalSet::new().run_until(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    drop(spawn_local(self.accepted(stream, tls.clone())));
                }
            }));
        };
        drop(Builder::new().spawn(serve).unwrap());
        url
    }

    async fn accepted(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        match tls {
            None => self.connection(stream).await,
            // A client that refuses the certificate is gone.
            Some(tls) => {
                if let Ok(stream) = tls.accept(stream).await {
                    self.connection(stream).await;
                }
            }
        }
    }

    async fn connection(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut builder = h2::server::Builder::new();
        builder.max_concurrent_streams(self.streams);
        let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
        let mut number = 0;
        while let Some(Ok((request, respond))) = connection.accept().await {
            (self.answer)(number, request, respond);
            number += 1;
            if number == self.requests {
                connection.graceful_shutdown();
            }
        }
    }
}

fn ok(_: u64, _: Request<RecvStream>, respond: SendResponse<Bytes>) {
    full(respond, b"hello");
}

fn full(mut respond: SendResponse<Bytes>, body: &'static [u8]) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from_static(body), true).unwrap();
}

fn after(time: Duration, then: impl FnOnce() + 'static) {
    drop(spawn_local(async move {
        tokio::time::sleep(time).await;
        then();
    }));
}

fn plan(url: &str) -> Plan {
    Plan {
        protocol: Protocol::Http2 { streams: 10 },
        drive: Drive::Schedule(Schedule::Constant { rate: 200.0 }),
        duration: Duration::from_millis(500),
        connections: 2,
        timeout: Duration::from_secs(5),
        ..Plan::to(Target::parse(url).unwrap())
    }
}

/// Runs a plan, whose requests are all accounted for.
fn loaded(plan: &Plan) -> Run {
    let run = run(plan, &AtomicBool::new(false), &mut ()).unwrap();
    let counts = &run.counts;
    let sum = counts.responses + counts.failed() + counts.timeouts + counts.unsent;
    assert_eq!((plan.planned().unwrap_or(run.planned), sum), (run.planned, run.planned), "{counts:?}");
    run
}

fn failed(run: &Run, expected: Failure) -> u64 {
    run.errors().find(|(failure, _)| *failure == expected).map_or(0, |(_, count)| count)
}

#[test]
fn all_requests_are_answered_on_as_many_connections_as_there_may_be() {
    let url = Server::new(ok).start();
    for threads in [1, 2] {
        let run = loaded(&Plan { threads, ..plan(&url) });
        assert_eq!((run.counts.responses, run.connections, run.counts.connections), (100, 2, 0), "{run:?}");
        assert!(run.counts.bytes >= 500, "{}", run.counts.bytes);
    }
}

#[test]
fn with_tls_both_must_agree_to_http2() {
    let loads = |tls: &Tls| {
        let url = Server::new(ok).start_tls(tls);
        loaded(&Plan { trust: Trust::File(tls.certificate.path().to_owned()), ..plan(&url) })
    };
    let agreed = loads(&Tls::new(&[b"h2", b"http/1.1"]));
    assert_eq!(
        (agreed.counts.responses, agreed.connections),
        (100, 2),
        "{:?}",
        agreed.errors().collect::<Vec<_>>()
    );
    assert_eq!(failed(&loads(&Tls::new(&[])), Failure::NoHttp2), 100);
    let refused = loads(&Tls::new(&[b"http/1.1"]));
    assert_eq!(failed(&refused, Failure::Tls), 100);
    let error = refused.tls_error.unwrap();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
}

#[test]
fn a_request_has_its_parts_its_headers_and_its_body() {
    fn answer(_: u64, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let (head, mut body) = request.into_parts();
        drop(spawn_local(async move {
            let mut received = Vec::new();
            while let Some(Ok(piece)) = body.data().await {
                received.extend_from_slice(&piece);
            }
            let header = |name: &str| head.headers.get(name).map(|of| of.to_str().unwrap().to_owned());
            let is_right = head.method == "PUT"
                && head.uri.path_and_query().unwrap() == "/a?b=c"
                && head.uri.authority().unwrap() == "shop.example"
                && header("x-a").as_deref() == Some("1")
                && header("content-length").as_deref() == Some("4")
                && header("user-agent").is_some_and(|of| of.starts_with("casebook/"))
                && received == b"body";
            let mut respond = respond;
            let status = if is_right { 201 } else { 400 };
            drop(respond.send_response(Response::builder().status(status).body(()).unwrap(), true));
        }));
    }
    let plan = Plan {
        method: "PUT".to_owned(),
        headers: [("X-A", "1"), ("Host", "shop.example")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        body: b"body".to_vec(),
        ..plan(&Server::new(answer).start())
    };
    assert_eq!(loaded(&plan).counts.statuses, [(201, 100)]);
    let of_connections = Plan { headers: vec![("Connection".to_owned(), "close".to_owned())], ..plan };
    let refused = run(&of_connections, &AtomicBool::new(false), &mut ()).unwrap_err();
    assert_eq!(refused.to_string(), "HTTP/2 has no header `Connection`: leave it out, or leave out --http2");
}

#[test]
fn a_flow_goes_on_with_what_a_response_said() {
    fn answer(_: u64, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let (head, _) = request.into_parts();
        let header = head.headers.get("x-token").map(|of| of.to_str().unwrap());
        let (status, body) = match (head.uri.path(), header) {
            ("/orders", None) => (201, r#"{"id": "a b"}"#),
            ("/orders/a%20b", Some("t-1")) => (200, "paid"),
            _ => (400, ""),
        };
        let head = Response::builder().status(status).header("x-token", "t-1").body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream.send_data(Bytes::from_static(body.as_bytes()), true).unwrap();
    }
    let text = r#"
        [[flow]]
        name = "buy"
        [[flow.step]]
        name = "create"
        method = "POST"
        path = "/orders"
        expect = { status = 201 }
        extract = { order = { json = "$.id" }, token = { header = "X-Token" } }
        [[flow.step]]
        name = "pay"
        path = "/orders/{{order}}"
        headers = { X-Token = "{{token}}" }
        expect = { status = 200, body_contains = "paid" }
    "#;
    let url = Server::new(answer).start();
    let origin = url.trim_end_matches("/a?b=c");
    let nothing = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let loaded_of =
        |text: &str| Loaded::parse(text, Some(origin), 1, &nothing, &|text| Err(text.to_owned())).unwrap();
    let of = loaded_of(text);
    let plan = Plan { target: of.target, scenario: Some(Arc::new(of.scenario)), ..plan(&url) };
    let run = loaded(&plan);
    assert_eq!(
        (run.planned, run.counts.responses, run.counts.failed_checks),
        (200, 200, 0),
        "{:?}",
        run.counts
    );
    assert_eq!(run.tally.flows.iter().map(|of| of.completed).collect::<Vec<_>>(), [100]);
    // A header of connections is refused before anything is sent, although a value makes the request anew each time.
    let of = loaded_of(&text.replace("X-Token = \"{{token}}\"", "Connection = \"{{token}}\""));
    let refused =
        load::run(&Plan { scenario: Some(Arc::new(of.scenario)), ..plan }, &AtomicBool::new(false), &mut ());
    assert!(matches!(refused, Err(load::RunError::Http2(_))), "{refused:?}");
}

#[test]
fn streams_of_one_connection_are_used_at_once() {
    fn answer(_: u64, _: Request<RecvStream>, respond: SendResponse<Bytes>) {
        after(Duration::from_millis(200), || full(respond, b"late"));
    }
    let url = Server::new(answer).start();
    // Each stream answers 5 requests per second: 200 per second need 40.
    let of_streams = |streams| {
        let protocol = Protocol::Http2 { streams };
        loaded(&Plan { connections: 1, protocol, timeout: Duration::from_secs(1), ..plan(&url) })
    };
    let enough = of_streams(100);
    assert_eq!((enough.counts.responses, enough.connections), (100, 1));
    let median = |run: &Run| run.latencies.schedule.value_at_quantile(0.5);
    let few = of_streams(10);
    assert!(
        median(&few) > 2 * median(&enough) || few.counts.unsent > 0,
        "{} {}",
        median(&few),
        median(&enough)
    );
}

#[test]
fn a_peer_that_allows_few_streams_is_asked_for_no_more() {
    fn answer(_: u64, _: Request<RecvStream>, respond: SendResponse<Bytes>) {
        after(Duration::from_millis(5), || full(respond, b"late"));
    }
    let url = Server { streams: 2, ..Server::new(answer) }.start();
    let run = loaded(&Plan { connections: 1, protocol: Protocol::Http2 { streams: 50 }, ..plan(&url) });
    assert_eq!(run.counts.responses, 100, "{:?}", run.counts);
}

#[test]
fn a_peer_that_closes_connections_in_an_orderly_way_loses_no_request() {
    for drive in [
        Drive::Schedule(Schedule::Constant { rate: 2_000.0 }),
        Drive::Max,
        Drive::Users { users: 7, think: Duration::ZERO },
    ] {
        let url = Server { requests: 10, ..Server::new(ok) }.start();
        let run = loaded(&Plan { drive, ..plan(&url) });
        assert_eq!(run.counts.responses, run.planned, "{:?}", run.errors().collect::<Vec<_>>());
        // A server that closes a connection goes on with what is under way.
        assert!(
            run.counts.responses >= 100 && run.counts.connections >= run.planned / 40,
            "{:?}",
            run.counts
        );
    }
}

#[test]
fn whatever_a_peer_does_is_counted_by_kind() {
    fn resets(_: u64, _: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        respond.send_reset(Reason::INTERNAL_ERROR);
    }
    fn refuses(_: u64, _: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        respond.send_reset(Reason::REFUSED_STREAM);
    }
    fn resets_in_the_body(_: u64, _: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        drop(stream.send_data(Bytes::from_static(b"half"), false));
        after(Duration::from_millis(5), move || stream.send_reset(Reason::CANCEL));
    }
    fn lies_about_its_length(_: u64, _: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let head = Response::builder().header("content-length", "99").body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream.send_data(Bytes::from_static(b"short"), true).unwrap();
    }
    fn has_a_large_head(_: u64, _: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let lines = (0..80)
            .fold(Response::builder(), |head, number| head.header(format!("x-{number}"), "y".repeat(1_000)));
        let head = lines.body(()).unwrap();
        drop(respond.send_response(head, true));
    }
    let cases: [(Answer, Failure); 5] = [
        (resets, Failure::Reset),
        (refuses, Failure::Reset),
        (resets_in_the_body, Failure::Reset),
        (lies_about_its_length, Failure::Malformed),
        (has_a_large_head, Failure::Malformed),
    ];
    for (answer, expected) in cases {
        let run = loaded(&plan(&Server::new(answer).start()));
        assert_eq!(failed(&run, expected), 100, "{expected:?}: {:?}", run.errors().collect::<Vec<_>>());
    }
}

#[test]
fn interim_responses_are_not_the_response() {
    fn answer(_: u64, _: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        respond.send_informational(Response::builder().status(103).body(()).unwrap()).unwrap();
        after(Duration::from_millis(5), || full(respond, b"hello"));
    }
    let run = loaded(&plan(&Server::new(answer).start()));
    assert_eq!(run.counts.statuses, [(200, 100)]);
}

#[test]
fn a_body_that_never_ends_times_out_and_leaves_the_connection_to_the_others() {
    fn answer(number: u64, _: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        if !number.is_multiple_of(10) {
            return full(respond, b"hello");
        }
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        drop(spawn_local(async move {
            while stream.send_data(Bytes::from_static(&[b'x'; 100]), false).is_ok() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }));
    }
    let url = Server::new(answer).start();
    let run = loaded(&Plan { timeout: Duration::from_millis(300), connections: 1, ..plan(&url) });
    assert_eq!(
        (run.counts.responses, run.counts.timeouts, run.counts.connections),
        (90, 10, 0),
        "{:?}",
        run.counts
    );
    assert!(run.latencies.schedule.max() >= 300_000_000);
}

#[test]
fn bodies_larger_than_any_window_are_read_whole() {
    static BODY: [u8; 6_000_000] = [b'x'; 6_000_000];
    fn answer(_: u64, _: Request<RecvStream>, respond: SendResponse<Bytes>) {
        full(respond, &BODY);
    }
    let url = Server::new(answer).start();
    let drive = Drive::Schedule(Schedule::Constant { rate: 20.0 });
    let run = loaded(&Plan { drive, connections: 1, ..plan(&url) });
    assert_eq!(run.counts.responses, 10, "{:?}", run.counts);
    assert!(run.counts.bytes > 60_000_000, "{}", run.counts.bytes);
}

/// A server that sends these bytes to whoever connects, and then reads until the end.
fn says(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serve = move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = move || {
                drop(stream.read(&mut [0; 1024]));
                drop(stream.write_all(bytes));
                drop(std::io::copy(&mut stream, &mut std::io::sink()));
            };
            drop(Builder::new().spawn(answer));
        }
    };
    drop(Builder::new().spawn(serve).unwrap());
    url
}

#[test]
fn what_is_not_http2_is_counted_as_that() {
    let cases: [(&[u8], Failure); 3] = [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", Failure::NoHttp2),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Failure::Malformed),
        (&[0xff; 64], Failure::Malformed),
    ];
    for (bytes, expected) in cases {
        let run = loaded(&plan(&says(bytes)));
        assert_eq!(failed(&run, expected), 100, "{expected:?}: {:?}", run.errors().collect::<Vec<_>>());
    }
    // A peer that says nothing.
    let run = loaded(&Plan { timeout: Duration::from_millis(200), ..plan(&says(b"")) });
    assert_eq!(run.counts.timeouts + run.counts.unsent, 100, "{:?}", run.counts);
}

#[test]
fn nobody_there_is_counted_as_refused() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = loaded(&plan(&format!("http://{free}/")));
    assert_eq!(failed(&run, Failure::Refused), 100, "{:?}", run.errors().collect::<Vec<_>>());
}

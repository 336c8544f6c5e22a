//! Encrypted connections, to a server of rustls with a certificate of its own.

#![expect(clippy::unwrap_used, reason = "a test")]

use load::{Drive, Failure, Plan, Run, Schedule, Target, Trust, run};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::Builder;
use std::time::Duration;

/// A server that answers each request with a body of so many bytes, with its address and its certificate. It ends with the test's
/// process.
fn server(folder: &std::path::Path, body: usize, answers: usize) -> (String, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    serve(folder, &made.cert, &made.signing_key, body, answers)
}

fn serve(
    folder: &std::path::Path,
    made: &rcgen::Certificate,
    key: &rcgen::KeyPair,
    body: usize,
    answers: usize,
) -> (String, PathBuf) {
    let certificate = folder.join("certificate.pem");
    std::fs::write(&certificate, made.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.der().clone()], key).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let serve = move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            drop(Builder::new().spawn(move || answer(config, stream, body, answers)));
        }
    };
    drop(Builder::new().spawn(serve).unwrap());
    (url, certificate)
}

/// Answers so many requests, then closes without saying so first.
fn answer(config: Arc<ServerConfig>, stream: TcpStream, body: usize, answers: usize) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut buffer = [0; 4096];
    for _ in 0..answers {
        if !stream.read(&mut buffer).is_ok_and(|read| read > 0) {
            return;
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {body}\r\n\r\n");
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b'x'; body])).is_err() {
            return;
        }
    }
}

fn loaded(url: &str, trust: Trust) -> Run {
    let plan = Plan {
        drive: Drive::Schedule(Schedule::Constant { rate: 100.0 }),
        duration: Duration::from_millis(500),
        connections: 3,
        timeout: Duration::from_secs(5),
        trust,
        ..Plan::to(Target::parse(url).unwrap())
    };
    let run = run(&plan, &AtomicBool::new(false), &mut ()).unwrap();
    let counts = &run.counts;
    assert_eq!(
        (run.planned, run.planned),
        (50, counts.responses + counts.failed() + counts.timeouts + counts.unsent)
    );
    run
}

fn failed(run: &Run, expected: Failure) -> u64 {
    run.errors().find(|(failure, _)| *failure == expected).map_or(0, |(_, count)| count)
}

#[test]
fn a_certificate_that_the_user_names_is_accepted_and_an_unknown_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (url, certificate) = server(folder.path(), 2, usize::MAX);
    for trust in [Trust::File(certificate.clone()), Trust::Anyone] {
        assert_eq!(loaded(&url, trust.clone()).counts.responses, 50, "{trust:?}");
    }
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let (_, unrelated) = server(&other, 2, usize::MAX);
    assert_eq!(failed(&loaded(&url, Trust::File(unrelated)), Failure::Tls), 50);
    // The certificate is of localhost, not of its address.
    let address = url.replace("localhost", "127.0.0.1");
    assert_eq!(failed(&loaded(&address, Trust::File(certificate)), Failure::Tls), 50);
}

#[test]
fn a_certificate_of_an_authority_is_accepted_from_a_server_if_the_user_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    // As `openssl req -x509` makes them.
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let made = parameters.self_signed(&key).unwrap();
    let (url, certificate) = serve(folder.path(), &made, &key, 2, usize::MAX);
    assert_eq!(loaded(&url, Trust::File(certificate.clone())).counts.responses, 50);
    let address = url.replace("localhost", "127.0.0.1");
    let refused = loaded(&address, Trust::File(certificate));
    assert_eq!(failed(&refused, Failure::Tls), 50);
    let error = refused.tls_error.unwrap();
    assert!(error.contains("not valid for name"), "{error}");
    // Its time has to be right, too.
    let (last_year, this_year) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
    (parameters.not_before, parameters.not_after) = (last_year, this_year);
    let expired = folder.path().join("expired");
    std::fs::create_dir(&expired).unwrap();
    let (url, certificate) = serve(&expired, &parameters.self_signed(&key).unwrap(), &key, 2, usize::MAX);
    let refused = loaded(&url, Trust::File(certificate));
    assert_eq!(failed(&refused, Failure::Tls), 50);
    assert!(refused.tls_error.is_some_and(|error| error.contains("expired")));
}

#[test]
fn bodies_of_many_records_and_connections_that_end_without_a_word_are_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (url, certificate) = server(folder.path(), 300_000, 5);
    let run = loaded(&url, Trust::File(certificate));
    assert_eq!(run.counts.responses, 50, "{:?}", run.counts);
    assert!(run.counts.bytes > 50 * 300_000 && run.counts.connections >= 7, "{:?}", run.counts);
}

#[test]
fn a_server_that_does_not_speak_tls_is_counted_as_that() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let serve = move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    drop(Builder::new().spawn(serve).unwrap());
    assert_eq!(failed(&loaded(&url, Trust::Anyone), Failure::Tls), 50);
}

//! Servers that do everything right but one thing: each becomes the verdict it deserves.

use std::collections::BTreeMap;
use std::future::ready;
use std::net::SocketAddr;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::Duration;

use floe_stun::attribute::{
    ChangeRequest, ErrorCode, MappedAddress, OtherAddress, Padding, ResponseOrigin, Software,
    UnknownAttributes, XorMappedAddress, is_known,
};
use floe_stun::{Builder, Chance, Class, HEADER_LEN, MAGIC_COOKIE, Message, Method, Schedule, TransactionId};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};

use super::examine::examine;
use super::row::{Feature, Row, Verdict};
use super::servers::{Place, Server, find};
use super::tls::{Trust, provider};
use super::{Means, survey};

type Answer = fn(&Request) -> Vec<u8>;
/// None where the server is as good as others.
type Fault = fn(&Request) -> Option<Vec<u8>>;
type Conversation = fn(&Request) -> Vec<Say>;
type RawConversation = fn(&[u8]) -> Vec<Say>;

// --- over UDP

#[tokio::test]
async fn a_server_that_does_all_right_passes_everywhere_it_can_be_asked() {
    let row = asked_over_udp(|request| vec![request.answer()]).await;
    let expected = BTreeMap::from([
        (Feature::UdpV6, "unsupported: not here"),
        (Feature::Tcp, "unsupported: not here"),
        (Feature::Tls, "unsupported: not here"),
        (Feature::Fingerprint, "pass: answered with one"),
        (Feature::Behaviour, "unsupported: its answer has no OTHER-ADDRESS"),
        (Feature::Software, "pass: good"),
    ]);
    for (feature, told) in told(&row) {
        assert_eq!(told, *expected.get(&feature).unwrap_or(&"pass: "), "{}", feature.name());
    }
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure_and_told() {
    let cases: [(Answer, &str); 5] = [
        (|request| request.with_id([7; 12]).answer(), "of another transaction"),
        (|_| b"HTTP/1.1 400 Bad Request".to_vec(), "malformed"),
        (|request| request.bytes.clone(), "no response"),
        (|request| bent(request.success()), "with a wrong FINGERPRINT"),
        (|request| request.answer()[..24].to_vec(), "malformed"),
    ];
    for (answer, why) in cases {
        let row = asked_over_udp(move |request| vec![answer(request)]).await;
        assert_eq!(cell(&row, Feature::UdpV4), format!("fail: what came is no answer: 3 {why}"));
        assert_eq!(cell(&row, Feature::XorMappedAddress), "no answer: no way leads to it");
    }
}

#[tokio::test]
async fn an_answer_from_elsewhere_is_none() {
    let elsewhere = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = Arc::new(elsewhere.into_std().unwrap());
    let row = asked_over_udp(move |request| {
        elsewhere.send_to(&request.answer(), request.from).unwrap();
        vec![]
    });
    let told = cell(&row.await, Feature::UdpV4);
    assert_eq!(told, "fail: what came is no answer: 3 from another address than was asked");
}

#[tokio::test]
async fn silence_is_no_answer_and_no_failure() {
    let row = asked_over_udp(|_| vec![]).await;
    assert_eq!(cell(&row, Feature::UdpV4), "no answer: silence");
    assert!(!row.has_failed() && !row.has_answered());
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_none() {
    let late = asked_over_udp_after(PATIENCE.total() * 3, |request| vec![request.answer()]).await;
    assert_eq!(cell(&late, Feature::UdpV4), "no answer: silence");
}

#[tokio::test]
async fn an_answer_to_a_repetition_is_in_time() {
    let mut seen = BTreeMap::new();
    let row = asked_over_udp(move |request| {
        let times = seen.entry(request.id).or_insert(0);
        *times += 1;
        if *times < 2 { vec![] } else { vec![request.answer()] }
    });
    let row = row.await;
    assert_eq!(cell(&row, Feature::UdpV4), "pass: ");
    assert_eq!(cell(&row, Feature::Retransmission), "pass: ");
}

#[tokio::test]
async fn an_error_is_a_failure_with_its_code() {
    let row = asked_over_udp(|request| vec![request.refusal(ErrorCode { code: 401, reason: "Who?" })]).await;
    assert_eq!(cell(&row, Feature::UdpV4), "fail: it refuses with 401 Who?");
}

#[tokio::test]
async fn a_wrong_family_fails_the_address_and_not_the_way() {
    let row = asked_over_udp(|request| {
        let v6 = XorMappedAddress("[2001:db8::1]:1".parse().unwrap());
        vec![request.write(Class::Success, |builder| builder.attribute(&v6))]
    });
    let row = row.await;
    assert_eq!(cell(&row, Feature::UdpV4), "pass: ");
    let told = cell(&row, Feature::XorMappedAddress);
    assert_eq!(told, "fail: over udp4: XOR-MAPPED-ADDRESS is IPv6, though it was asked over IPv4");
}

#[tokio::test]
async fn each_fault_fails_its_own_cell_and_no_other() {
    let cases: [(Feature, &str, Fault); 14] = [
        (Feature::XorMappedAddress, "over udp4: its answer has no XOR-MAPPED-ADDRESS", |request| {
            Some(request.write(Class::Success, |builder| builder.attribute(&MappedAddress(request.from))))
        }),
        (Feature::MappedAddress, "over udp4: MAPPED-ADDRESS says 192.0.2.1:1", |request| {
            let (xor, plain) =
                (XorMappedAddress(request.from), MappedAddress("192.0.2.1:1".parse().unwrap()));
            Some(request.write(Class::Success, |builder| builder.attribute(&xor).attribute(&plain)))
        }),
        (Feature::Software, "over udp4: attribute 0x8022: not UTF-8", |request| {
            let xor = XorMappedAddress(request.from);
            let garbled = Padding(b"\xFF");
            Some(
                request
                    .write(Class::Success, |builder| builder.attribute(&xor).attribute_as(0x8022, &garbled)),
            )
        }),
        (
            Feature::UnknownOptional,
            "it refuses with 420 Unknown Attribute, for an attribute to ignore",
            |request| request.unknown(0x8000..).map(|_| request.refusal(ErrorCode::UNKNOWN_ATTRIBUTE)),
        ),
        (Feature::UnknownRequired, "it answers as if it understood 0x3f1f, instead of 420", |request| {
            request.unknown(..0x8000).map(|_| request.success())
        }),
        (Feature::UnknownRequired, "it refuses with 400 Bad Request, instead of 420", |request| {
            request.unknown(..0x8000).map(|_| request.refusal(ErrorCode::BAD_REQUEST))
        }),
        (Feature::UnknownRequired, "its 420 has no UNKNOWN-ATTRIBUTES", |request| {
            request.unknown(..0x8000).map(|_| request.refusal(ErrorCode::UNKNOWN_ATTRIBUTE))
        }),
        (Feature::UnknownRequired, "its 420 does not list 0x3f1f", |request| {
            request.unknown(..0x8000).map(|_| request.complaint(0x7777))
        }),
        (Feature::Fingerprint, "the FINGERPRINT of its answer is wrong", |request| {
            request.has_fingerprint.then(|| bent(request.success()))
        }),
        (Feature::Fingerprint, "it refuses with 400 Bad Request", |request| {
            request.has_fingerprint.then(|| request.refusal(ErrorCode::BAD_REQUEST))
        }),
        (Feature::Rfc3489, "it answers a request without the cookie, without MAPPED-ADDRESS", |request| {
            let xor = XorMappedAddress(request.from);
            request.is_old().then(|| request.write(Class::Success, |builder| builder.attribute(&xor)))
        }),
        (Feature::Behaviour, "OTHER-ADDRESS without RESPONSE-ORIGIN", |request| {
            let (xor, other) = (XorMappedAddress(request.from), OtherAddress("127.0.0.2:1".parse().unwrap()));
            Some(request.write(Class::Success, |builder| builder.attribute(&xor).attribute(&other)))
        }),
        (Feature::Behaviour, "OTHER-ADDRESS without MAPPED-ADDRESS", |request| {
            let (xor, origin) = (XorMappedAddress(request.from), ResponseOrigin(request.to));
            let other = OtherAddress("127.0.0.2:1".parse().unwrap());
            Some(request.write(Class::Success, |builder| {
                builder.attribute(&xor).attribute(&origin).attribute(&other)
            }))
        }),
        (Feature::Behaviour, "RESPONSE-ORIGIN says 127.0.0.3:3, and the answer came from", |request| {
            let elsewhere = Request { to: "127.0.0.3:3".parse().unwrap(), ..request.clone() };
            Some(elsewhere.with_other("127.0.0.2:1"))
        }),
    ];
    for (feature, why, answer) in cases {
        let row =
            asked_over_udp(move |request| vec![answer(request).unwrap_or_else(|| request.answer())]).await;
        let told = cell(&row, feature);
        assert!(told.starts_with(&format!("fail: {why}")), "{told}, where {why} is expected");
        let others = row.cells().filter(|(other, verdict)| *other != feature && verdict.is_fail());
        let others: Vec<_> = others.filter(|(other, _)| !ALWAYS_ALIKE.contains(other)).collect();
        assert!(others.is_empty(), "{why}: {others:?}");
    }
}

/// Servers that answer everything in one way fail these along.
const ALWAYS_ALIKE: [Feature; 2] = [Feature::UnknownRequired, Feature::Rfc3489];

#[tokio::test]
async fn whether_the_answer_had_a_fingerprint_is_noted() {
    let row = asked_over_udp(|request| vec![bare(request.answer())]).await;
    assert_eq!(cell(&row, Feature::Fingerprint), "pass: answered without one");
}

#[tokio::test]
async fn a_repeated_request_must_be_answered_alike() {
    let mut seen = BTreeMap::new();
    let row = asked_over_udp(move |request| {
        let times = seen.entry(request.id).or_insert(0);
        *times += 1;
        vec![if *times < 2 { request.answer() } else { request.refusal(ErrorCode::BAD_REQUEST) }]
    });
    let told = cell(&row.await, Feature::Retransmission);
    assert_eq!(told, "fail: it answers a repeated request otherwise than the first");
}

#[tokio::test]
async fn a_client_that_may_ask_once_and_whose_request_is_withheld_hears_nothing() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let place = Place::Udp(socket.local_addr().unwrap());
    let means = Means { schedule: PATIENCE.with_sends(1), ..means(Trust::of(vec![])) };
    let row = tokio::select! {
        row = asked_with(Feature::UdpV4, place, &means) => row,
        () = udp_server(socket, Duration::ZERO, |request| vec![request.answer()]) => unreachable!("it serves for ever"),
    };
    assert_eq!(cell(&row, Feature::UdpV4), "pass: ");
    assert_eq!(cell(&row, Feature::Retransmission), "no answer: silence");
}

#[tokio::test]
async fn who_ignores_old_clients_does_not_support_them() {
    let row = asked_over_udp(|request| if request.is_old() { vec![] } else { vec![request.answer()] });
    let told = cell(&row.await, Feature::Rfc3489);
    assert_eq!(told, "unsupported: it does not answer a request without the cookie");
}

// --- RFC 5780

#[tokio::test]
async fn an_answer_to_change_request_must_come_from_the_other_address() {
    let row = asked_over_udp(|request| vec![request.with_other("127.0.0.2:9")]).await;
    let told = cell(&row, Feature::Behaviour);
    assert_eq!(told, "fail: its answer to CHANGE-REQUEST does not come from 127.0.0.2:9");
}

#[tokio::test]
async fn a_server_that_names_another_address_must_not_refuse_change_request() {
    let row = asked_over_udp(|request| match request.change {
        Some(_) => vec![request.refusal(ErrorCode::UNKNOWN_ATTRIBUTE)],
        None => vec![request.with_other("127.0.0.2:9")],
    });
    let told = cell(&row.await, Feature::Behaviour);
    assert_eq!(told, "fail: it names OTHER-ADDRESS and refuses CHANGE-REQUEST with 420");
}

#[tokio::test]
async fn the_other_address_must_be_another_one() {
    let row = asked_over_udp(|request| vec![request.with_other("127.0.0.1:9")]).await;
    let told = cell(&row, Feature::Behaviour);
    assert!(told.starts_with("fail: OTHER-ADDRESS 127.0.0.1:9 does not differ from 127.0.0.1:"), "{told}");
}

#[tokio::test]
async fn silence_after_change_request_can_be_a_filter() {
    let row = asked_over_udp(|request| match request.change {
        Some(_) => vec![],
        None => vec![request.with_other("127.0.0.2:9")],
    });
    let told = cell(&row.await, Feature::Behaviour);
    assert_eq!(
        told,
        "no answer: no answer to CHANGE-REQUEST came from 127.0.0.2:9: not sent, or filtered on its way"
    );
}

#[tokio::test]
async fn an_answer_from_the_other_port_alone_shows_that_change_request_is_obeyed() {
    let other_port = UdpSocket::bind("127.0.0.1:0").await.unwrap().into_std().unwrap();
    let other = format!("127.0.0.2:{}", other_port.local_addr().unwrap().port());
    let row = asked_over_udp(move |request| match request.change {
        Some(ChangeRequest { ip: true, .. }) => vec![],
        Some(ChangeRequest { ip: false, .. }) => {
            other_port.send_to(&request.with_other(&other), request.from).unwrap();
            vec![]
        }
        None => vec![request.with_other(&other)],
    });
    let told = cell(&row.await, Feature::Behaviour);
    assert!(
        told.starts_with("pass: it answers from 127.0.0.1:") && told.ends_with("nothing came through"),
        "{told}"
    );
}

// --- over TCP and TLS

#[tokio::test]
async fn a_stream_may_come_in_pieces() {
    let row =
        asked_over_tcp(|request| request.answer().chunks(1).map(|byte| Say::Bytes(byte.to_vec())).collect())
            .await;
    assert_eq!(cell(&row, Feature::Tcp), "pass: ");
    assert_eq!(cell(&row, Feature::UnknownRequired), "pass: ");
    assert_eq!(cell(&row, Feature::Fingerprint), "pass: answered with one");
    assert!(cell(&row, Feature::Retransmission).starts_with("unsupported"));
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_a_failure_and_one_that_says_nothing_is_none() {
    let cases: [(Conversation, &str); 6] = [
        (
            |request| vec![Say::Bytes(request.answer()[..30].to_vec()), Say::Close],
            "fail: it closes the connection within its answer, after 30 bytes",
        ),
        (
            |request| vec![Say::Bytes(request.answer()[..30].to_vec())],
            "fail: its answer does not end, 30 bytes of it came",
        ),
        (|_| vec![Say::Close], "no answer: it closes the connection without an answer"),
        (|_| vec![], "no answer: silence"),
        (
            |_| vec![Say::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())],
            "fail: what came is no answer: 1 no STUN",
        ),
        (
            |request| vec![Say::Bytes(request.with_id([7; 12]).answer())],
            "fail: what came is no answer: 1 of another transaction",
        ),
    ];
    for (say, expected) in cases {
        let row = asked_over_tcp(say).await;
        assert_eq!(cell(&row, Feature::Tcp), expected);
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_no_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::Tcp(vec![listener.local_addr().unwrap()]);
    drop(listener);
    let row = asked(Feature::Tcp, place, Trust::of(vec![])).await;
    assert_eq!(cell(&row, Feature::Tcp), "unsupported: it refuses connections");
}

#[tokio::test]
async fn over_tls_the_certificate_counts() {
    let (ours, other) = (certificate("stun.floe.test"), certificate("stun.floe.test"));
    for (name, trusted, expected) in [
        ("stun.floe.test", &ours, "pass: "),
        (
            "elsewhere.floe.test",
            &ours,
            "fail: TLS failed: invalid peer certificate: certificate not valid for name \"elsewhere.floe.test\"",
        ),
        ("stun.floe.test", &other, "fail: TLS failed: invalid peer certificate: "),
    ] {
        let server = tls_server(&ours).await;
        let place = Place::Tls(vec![server], ServerName::try_from(name).unwrap());
        let row = asked(Feature::Tls, place, Trust::of(vec![trusted.0.clone()])).await;
        let told = cell(&row, Feature::Tls);
        assert!(told.starts_with(expected), "{told}, where {expected} is expected");
    }
}

#[tokio::test]
async fn what_speaks_no_tls_is_a_failure_and_what_says_nothing_is_none() {
    let cases: [(RawConversation, &str); 3] = [
        (
            |_| vec![Say::Bytes(b"\x01\x01\x00\x00\x21\x12\xA4\x42".to_vec())],
            "fail: TLS failed: received corrupt message",
        ),
        (|_| vec![Say::Close], "fail: the connection ended in the TLS handshake"),
        (|_| vec![], "no answer: it does not answer the TLS handshake"),
    ];
    for (say, expected) in cases {
        let server = tcp_server(move |bytes, _, _| say(bytes)).await;
        let place = Place::Tls(vec![server], ServerName::try_from("stun.floe.test").unwrap());
        let told = cell(&asked(Feature::Tls, place, Trust::of(vec![])).await, Feature::Tls);
        assert!(told.starts_with(expected), "{told}, where {expected} is expected");
    }
}

// --- all together

#[tokio::test]
async fn a_server_is_asked_by_what_a_person_writes() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = Server::parse(&socket.local_addr().unwrap().to_string()).unwrap();
    let (means, mut chance) = (means(Trust::of(vec![])), Chance::new([2; 32]));
    let servers = vec![(server.to_string(), find(&server, [3; 32]))];
    let rows = tokio::select! {
        rows = survey(servers, &means, &mut chance) => rows,
        () = udp_server(socket, Duration::ZERO, |request| vec![request.answer()]) => unreachable!("it serves for ever"),
    };
    assert_eq!(cell(&rows[0], Feature::UdpV4), "pass: ");
    assert_eq!(cell(&rows[0], Feature::UdpV6), "unsupported: it has no IPv6 address");
    assert_eq!(cell(&rows[0], Feature::Tcp), "unsupported: it refuses connections");
}

#[tokio::test]
async fn what_is_not_known_when_the_time_is_up_is_no_answer_and_the_rest_stays() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let places = Feature::WAYS.map(|_| Ok(Place::Udp(socket.local_addr().unwrap())));
    let mut means = means(Trust::of(vec![]));
    means.schedule = means.schedule.with_rto(Duration::from_secs(3600)).with_sends(1);
    means.limit = Duration::from_secs(1);
    let servers = vec![("the server".to_owned(), ready(Ok(places)))];
    let mut chance = Chance::new([2; 32]);
    let rows = tokio::select! {
        rows = survey(servers, &means, &mut chance) => rows,
        // Fingerprints are not answered, and would be waited for for ever.
        () = udp_server(socket, Duration::ZERO, |request| {
            if request.has_fingerprint { vec![] } else { vec![request.answer()] }
        }) => unreachable!("it serves for ever"),
    };
    assert_eq!(cell(&rows[0], Feature::UnknownRequired), "pass: ");
    assert_eq!(cell(&rows[0], Feature::Fingerprint), "no answer: the time was up");
}

// --- what is asked

async fn asked_over_udp(answer: impl FnMut(&Request) -> Vec<Vec<u8>> + 'static) -> Row {
    asked_over_udp_after(Duration::ZERO, answer).await
}

async fn asked_over_udp_after(rest: Duration, answer: impl FnMut(&Request) -> Vec<Vec<u8>> + 'static) -> Row {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let place = Place::Udp(socket.local_addr().unwrap());
    tokio::select! {
        row = asked(Feature::UdpV4, place, Trust::of(vec![])) => row,
        () = udp_server(socket, rest, answer) => unreachable!("it serves for ever"),
    }
}

async fn asked_over_tcp(say: impl Fn(&Request) -> Vec<Say> + Send + Sync + 'static) -> Row {
    let server = tcp_server(move |bytes, from, to| say(&Request::read(bytes, from, to))).await;
    asked(Feature::Tcp, Place::Tcp(vec![server]), Trust::of(vec![])).await
}

async fn asked(way: Feature, place: Place, trust: Trust) -> Row {
    asked_with(way, place, &means(trust)).await
}

/// Asks over this way and no other.
async fn asked_with(way: Feature, place: Place, means: &Means) -> Row {
    let mut row = Row::new("the server".into());
    let places = Feature::WAYS.map(|other| {
        if other == way { Ok(place.clone()) } else { Err(Verdict::Unsupported("not here".into())) }
    });
    examine(&mut row, &places, means, &mut Chance::new([1; 32])).await;
    row
}

fn means(trust: Trust) -> Means {
    Means { schedule: PATIENCE, ..Means::new(trust) }
}

/// At 0, 100 and 300 ms, with an end at 500 ms.
const PATIENCE: Schedule =
    Schedule::DEFAULT.with_rto(Duration::from_millis(100)).with_sends(3).with_last_wait(2);

fn cell(row: &Row, feature: Feature) -> String {
    told(row).find_map(|(other, told)| (other == feature).then_some(told)).unwrap()
}

fn told(row: &Row) -> impl Iterator<Item = (Feature, String)> {
    row.cells().map(|(feature, verdict)| (feature, format!("{}: {}", verdict.word(), verdict.note())))
}

// --- the servers

async fn udp_server(socket: UdpSocket, rest: Duration, mut answer: impl FnMut(&Request) -> Vec<Vec<u8>>) {
    let (mut packet, to) = ([0; 2048], socket.local_addr().unwrap());
    loop {
        let (len, from) = socket.recv_from(&mut packet).await.unwrap();
        tokio::time::sleep(rest).await;
        for datagram in answer(&Request::read(&packet[..len], from, to)) {
            socket.send_to(&datagram, from).await.unwrap();
        }
    }
}

/// What a server does with a stream once a request has come; after the last it stays and says nothing.
enum Say {
    Bytes(Vec<u8>),
    Close,
}

async fn tcp_server(
    say: impl Fn(&[u8], SocketAddr, SocketAddr) -> Vec<Say> + Send + Sync + 'static,
) -> SocketAddr {
    let (listener, say) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::new(say));
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, from) = listener.accept().await.unwrap();
            let say = Arc::clone(&say);
            tokio::spawn(async move { converse(stream, |bytes| say(bytes, from, address)).await });
        }
    });
    address
}

async fn tls_server((certificate, key): &(CertificateDer<'static>, KeyPair)) -> SocketAddr {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let (listener, acceptor) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TlsAcceptor::from(Arc::new(config)));
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, from) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                converse(stream, |bytes| vec![Say::Bytes(Request::read(bytes, from, address).answer())])
                    .await;
            });
        }
    });
    address
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, say: impl Fn(&[u8]) -> Vec<Say>) {
    let mut packet = [0; 2048];
    loop {
        let len = stream.read(&mut packet).await.unwrap_or(0);
        if len == 0 {
            return;
        }
        for what in say(&packet[..len]) {
            match what {
                Say::Bytes(bytes) => {
                    stream.write_all(&bytes).await.unwrap();
                    stream.flush().await.unwrap();
                    tokio::task::yield_now().await;
                }
                Say::Close => return,
            }
        }
    }
}

fn certificate(name: &str) -> (CertificateDer<'static>, KeyPair) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    (cert.der().clone(), signing_key)
}

/// A request as a server sees it.
#[derive(Clone)]
struct Request {
    bytes: Vec<u8>,
    from: SocketAddr,
    to: SocketAddr,
    cookie: [u8; 4],
    id: [u8; 12],
    kinds: Vec<u16>,
    change: Option<ChangeRequest>,
    has_fingerprint: bool,
}

impl Request {
    fn read(bytes: &[u8], from: SocketAddr, to: SocketAddr) -> Self {
        let (cookie, id) = (bytes[4..8].try_into().unwrap(), bytes[8..20].try_into().unwrap());
        let with_cookie = [&bytes[..4], &MAGIC_COOKIE.to_be_bytes(), &bytes[8..]].concat();
        let message = Message::decode(&with_cookie).unwrap();
        Self {
            bytes: bytes.to_vec(),
            from,
            to,
            cookie,
            id,
            kinds: message.attributes().map(|raw| raw.kind).collect(),
            change: message.find(),
            has_fingerprint: message.fingerprint().is_some(),
        }
    }

    fn with_id(&self, id: [u8; 12]) -> Self {
        Self { id, ..self.clone() }
    }

    fn is_old(&self) -> bool {
        self.cookie != MAGIC_COOKIE.to_be_bytes()
    }

    fn unknown(&self, among: impl RangeBounds<u16>) -> Option<u16> {
        self.kinds.iter().copied().find(|kind| among.contains(kind) && !is_known(*kind))
    }

    /// All right, whatever was asked.
    fn answer(&self) -> Vec<u8> {
        self.unknown(..0x8000).map_or_else(|| self.success(), |kind| self.complaint(kind))
    }

    fn success(&self) -> Vec<u8> {
        let (xor, plain) = (XorMappedAddress(self.from), MappedAddress(self.from));
        self.write(Class::Success, |builder| {
            builder.attribute(&xor).attribute(&plain).attribute(&Software("good"))
        })
    }

    /// The same from a server that says it has another address.
    fn with_other(&self, other: &str) -> Vec<u8> {
        let (xor, plain) = (XorMappedAddress(self.from), MappedAddress(self.from));
        let (origin, other) = (ResponseOrigin(self.to), OtherAddress(other.parse().unwrap()));
        self.write(Class::Success, |builder| {
            builder.attribute(&xor).attribute(&plain).attribute(&origin).attribute(&other)
        })
    }

    fn complaint(&self, kind: u16) -> Vec<u8> {
        self.write(Class::Error, |builder| {
            builder.attribute(&ErrorCode::UNKNOWN_ATTRIBUTE).attribute(&UnknownAttributes::new(&[kind]))
        })
    }

    fn refusal(&self, error: ErrorCode<'_>) -> Vec<u8> {
        self.write(Class::Error, |builder| builder.attribute(&error))
    }

    /// With FINGERPRINT, always.
    fn write(&self, class: Class, fill: impl FnOnce(Builder<'_>) -> Builder<'_>) -> Vec<u8> {
        let mut buf = [0; 512];
        let begun = Builder::new(&mut buf, class, Method::BINDING, TransactionId::from(self.id));
        let mut message = fill(begun).fingerprint().finish().unwrap().to_vec();
        message[4..8].copy_from_slice(&self.cookie);
        message
    }
}

/// The message with a wrong FINGERPRINT.
fn bent(mut message: Vec<u8>) -> Vec<u8> {
    *message.last_mut().unwrap() ^= 1;
    message
}

/// The message without FINGERPRINT.
fn bare(mut message: Vec<u8>) -> Vec<u8> {
    message.truncate(message.len() - 8);
    let length = u16::try_from(message.len() - HEADER_LEN).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
    message
}

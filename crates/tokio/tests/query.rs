//! One question to a STUN server, on loopback.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use floe_stun::{Failure, Uri};
use floe_tokio::{QueryError, TurnServer, query};
use floe_turn_server::Config;
use tokio::net::UdpSocket;

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

async fn loopback() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn a_server_tells_our_address() {
    let any = "127.0.0.1:0".parse().unwrap();
    let (server, _events) = TurnServer::bind(Config::new("test"), &[any]).unwrap();
    let address = server.local_addresses().first().copied().unwrap();
    let [answer] = query(&uri(&format!("stun:{address}"))).await.unwrap().try_into().unwrap();
    let answer = answer.unwrap();
    assert_eq!((answer.server, answer.mapped), (address, answer.local));
    assert!(answer.rtt.is_some());
}

#[tokio::test]
async fn an_error_answer_is_told_with_its_code() {
    let (server, address) = loopback().await;
    let refuse = async {
        let mut request = [0; 100];
        let (len, from) = server.recv_from(&mut request).await.unwrap();
        let request = floe_stun::Message::decode(request.get(..len).unwrap()).unwrap();
        let mut answer = [0; 100];
        let error = floe_stun::attribute::ErrorCode { code: 400, reason: "no" };
        let class = floe_stun::Class::Error;
        let builder = floe_stun::Builder::new(&mut answer, class, request.method(), request.id());
        let answer = builder.attribute(&error).finish().unwrap();
        server.send_to(answer, from).await.unwrap();
    };
    let uri = uri(&format!("stun:{address}"));
    let ((), answers) = tokio::join!(refuse, query(&uri));
    let [answer] = answers.unwrap().try_into().unwrap();
    let error = answer.unwrap_err();
    assert_eq!(error.code(), Some(400));
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_dead_port_is_known_at_once() {
    let (socket, address) = loopback().await;
    drop(socket);
    let [answer] = query(&uri(&format!("stun:{address}"))).await.unwrap().try_into().unwrap();
    assert!(matches!(answer, Err(QueryError::Unreachable { server }) if server == address));
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let error = query(&uri("turns:127.0.0.1")).await.unwrap_err();
    assert!(matches!(error, QueryError::Unsupported { .. }));
    let error = query(&uri("stun:no-such-host.invalid")).await.unwrap_err();
    assert!(
        matches!(error, QueryError::Resolve { why: Failure::NoSuchName | Failure::TimedOut, .. }),
        "{error}"
    );
}

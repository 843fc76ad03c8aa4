//! A server that runs out of descriptors: the limit is the whole process's, so this test is alone in its program.
#![cfg(target_os = "linux")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use floe_stun::{Builder, Class, Method, TransactionId};
use floe_tokio::TurnServer;
use floe_turn_server::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn limit_files(count: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum }).unwrap();
}

#[tokio::test]
async fn a_listener_outlives_the_want_of_descriptors_and_does_not_spin() {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let (server, _events) = TurnServer::builder(Config::new("test")).tcp(any).bind().unwrap();
    let to = server.listeners().first().unwrap().1;
    let before = getrlimit(Resource::Nofile).current.unwrap();
    // The client's end is there before the server gets its turn, and there is no descriptor left for the other one.
    let stream = std::net::TcpStream::connect(to).unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut stream = TcpStream::from_std(stream).unwrap();
    limit_files(0);
    let cpu = || rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (waited, used) = (Duration::from_millis(300), cpu());
    let mut request = [0; 100];
    let id = TransactionId::from([7; 12]);
    let request = Builder::new(&mut request, Class::Request, Method::BINDING, id).finish().unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = [0; 100];
    let early = tokio::time::timeout(waited, stream.read(&mut answer)).await;
    assert!(early.is_err(), "no descriptor, no answer: {early:?}");
    let used = Duration::try_from(cpu()).unwrap().checked_sub(Duration::try_from(used).unwrap()).unwrap();
    assert!(used < waited / 3, "{used:?} of the processor in {waited:?}");
    limit_files(before);
    let late = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut answer)).await;
    assert!(late.unwrap().unwrap() > 0);
}

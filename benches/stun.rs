//! What a check costs on the wire's side: read and verify one, write one; time and allocations.
//!
//! `cargo bench --bench stun`
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has failed")]

use divan::{AllocProfiler, Bencher, black_box};
use floe_stun::attribute::{IceControlling, Priority, UseCandidate, Username, XorMappedAddress};
use floe_stun::{Builder, ChannelNumber, Class, Key, Message, Method, SendPlan, SocketId, TransactionId};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench]
fn decode_a_check(bencher: Bencher<'_, '_>) {
    let check = check();
    bencher.bench(|| {
        let message = Message::decode(black_box(&check)).unwrap();
        black_box(message.find::<Username<'_>>());
        (message.find::<Priority>(), message.find::<IceControlling>())
    });
}

#[divan::bench]
fn decode_and_verify_a_check(bencher: Bencher<'_, '_>) {
    let (check, key) = (check(), key());
    bencher.bench(|| {
        let message = Message::decode(black_box(&check)).unwrap();
        assert_eq!(message.fingerprint(), Some(true));
        message.verify(&key).unwrap().find::<Priority>()
    });
}

#[divan::bench]
fn build_a_check(bencher: Bencher<'_, '_>) {
    let (key, mut buf) = (key(), [0; 256]);
    bencher.bench_local(|| build(black_box(&key), &mut buf).len());
}

#[divan::bench]
fn build_an_answer(bencher: Bencher<'_, '_>) {
    let (key, mut buf, from) = (key(), [0; 256], "203.0.113.7:40000".parse().unwrap());
    bencher.bench_local(|| {
        Builder::new(&mut buf, Class::Success, Method::BINDING, TransactionId::from([7; 12]))
            .attribute(&XorMappedAddress(black_box(from)))
            .integrity(&key)
            .fingerprint()
            .finish()
            .unwrap()
            .len()
    });
}

#[divan::bench]
fn refuse_noise(bencher: Bencher<'_, '_>) {
    let noise = [0x80; 1200];
    bencher.bench(|| black_box(Message::decode(black_box(&noise))).is_err());
}

#[divan::bench]
fn wrap_1200_bytes_for_a_channel(bencher: Bencher<'_, '_>) {
    let (relay, mut packet) = ("192.0.2.1:3478".parse().unwrap(), [0; 1204]);
    bencher.bench_local(|| {
        let plan = SendPlan::channel(SocketId(0), black_box(relay), ChannelNumber::MIN, 1200).unwrap();
        plan.wrap(&mut packet);
    });
}

fn key() -> Key {
    Key::short_term("asd88fgpdd777uzjYhagZg")
}

fn check() -> Vec<u8> {
    build(&key(), &mut [0; 256]).to_vec()
}

fn build<'b>(key: &Key, buf: &'b mut [u8]) -> &'b [u8] {
    Builder::new(buf, Class::Request, Method::BINDING, TransactionId::from([7; 12]))
        .attribute(&Username("8hhYx1Ab:9b36c2Qz"))
        .attribute(&Priority(1_862_270_975))
        .attribute(&IceControlling(0x0123_4567_89AB_CDEF))
        .attribute(&UseCandidate)
        .integrity(key)
        .fingerprint()
        .finish()
        .unwrap()
}

//! What a check costs on the wire's side: read and verify one, write one; time and allocations.
//!
//! `cargo bench --bench stun`
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has failed")]

use divan::{AllocProfiler, Bencher, black_box};
use floe_stun::attribute::{IceControlling, Priority, UseCandidate, Username, XorMappedAddress};
use floe_stun::stream::{Cutter, Framing};
use floe_stun::{
    Builder, ChannelData, ChannelNumber, Class, Integrity, Key, Message, Method, Protocol, SendPlan,
    SocketId, Source, Template, TransactionId,
};

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
fn build_a_check_from_a_template(bencher: Bencher<'_, '_>) {
    let (template, mut buf) = (template(), [0; 256]);
    bencher.bench_local(|| {
        let id = TransactionId::from(black_box([7; 12]));
        template.write(black_box(&mut buf), id).unwrap().len()
    });
}

#[divan::bench]
fn prepare_a_template(bencher: Bencher<'_, '_>) {
    bencher.bench_local(template);
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

#[divan::bench]
fn tell_what_a_packet_is(bencher: Bencher<'_, '_>) {
    let noise = [0x80; 1200];
    bencher.bench(|| Protocol::of(black_box(&noise), Source::Peer));
}

/// 50 frames of 1200 bytes, as they lie in one read.
#[divan::bench]
fn cut_a_stream_of_60_kilobytes(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| Cutter::new(Framing::Turn)).bench_local_values(|mut cutter| {
        let (stream, mut frames) = (black_box(channel_stream()), 0);
        let mut rest = stream;
        while cutter.cut(&mut rest).unwrap().is_some() {
            frames += 1;
        }
        assert_eq!(frames, 50);
    });
}

/// The same byte by byte: every byte is copied once.
#[divan::bench]
fn cut_a_stream_of_60_kilobytes_byte_by_byte(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| Cutter::new(Framing::Turn)).bench_local_values(|mut cutter| {
        let mut frames = 0;
        for mut byte in black_box(channel_stream()).chunks(1) {
            frames += usize::from(cutter.cut(&mut byte).unwrap().is_some());
        }
        assert_eq!(frames, 50);
    });
}

fn channel_stream() -> &'static [u8] {
    static STREAM: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    STREAM.get_or_init(|| {
        let frame = [&ChannelData::header(ChannelNumber::MIN, 1200)[..], &[7; 1200]].concat();
        frame.repeat(50)
    })
}

fn key() -> Key {
    Key::short_term("asd88fgpdd777uzjYhagZg")
}

fn template() -> Template {
    let template = Template::new(Class::Request, Method::BINDING, fill).unwrap();
    template.signed(key(), Integrity::Sha1).with_fingerprint()
}

fn check() -> Vec<u8> {
    build(&key(), &mut [0; 256]).to_vec()
}

fn build<'b>(key: &Key, buf: &'b mut [u8]) -> &'b [u8] {
    fill(Builder::new(buf, Class::Request, Method::BINDING, TransactionId::from([7; 12])))
        .integrity(key)
        .fingerprint()
        .finish()
        .unwrap()
}

fn fill(builder: Builder<'_>) -> Builder<'_> {
    builder
        .attribute(&Username("8hhYx1Ab:9b36c2Qz"))
        .attribute(&Priority(1_862_270_975))
        .attribute(&IceControlling(0x0123_4567_89AB_CDEF))
        .attribute(&UseCandidate)
}

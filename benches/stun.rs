//! What a message costs on the wire's side: read, verified, written; time and allocations, beside the floor, which is
//! the same written by hand.
//!
//! `cargo bench --bench stun`
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark that cannot run has failed")]

use std::net::{SocketAddr, SocketAddrV4};

use divan::{AllocProfiler, Bencher, black_box};
use floe_stun::attribute::{
    Data, IceControlling, Priority, UseCandidate, Username, XorMappedAddress, XorPeerAddress,
};
use floe_stun::stream::{Cutter, Framing};
use floe_stun::{
    Builder, ChannelData, ChannelNumber, Class, HEADER_LEN, Integrity, Key, MAX_MESSAGE, Message, Method,
    Protocol, SendPlan, SocketId, Source, Template, TransactionId,
};

mod floor;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A check of 92 bytes, as agents send it: the header and every attribute.
mod decode_a_check {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn floe(bencher: Bencher<'_, '_>) {
        let check = check();
        bencher.bench(|| {
            black_box(read(black_box(&check)));
        });
    }

    #[divan::bench(sample_size = 1000)]
    fn floor(bencher: Bencher<'_, '_>) {
        let check = check();
        bencher.bench(|| {
            black_box(floor::decode(black_box(&check)));
        });
    }
}

/// The same, if both seals are right.
mod decode_and_verify_a_check {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn floe(bencher: Bencher<'_, '_>) {
        let (check, key) = (check(), Key::short_term(PASSWORD));
        bencher.bench(|| {
            black_box(verify(black_box(&check), black_box(&key)));
        });
    }

    #[divan::bench(sample_size = 1000)]
    fn floor(bencher: Bencher<'_, '_>) {
        let (check, key) = (check(), floor::Key::new(PASSWORD));
        bencher.bench(|| {
            black_box(floor::decode_and_verify(black_box(&check), black_box(&key)));
        });
    }
}

mod build_a_check {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn floe(bencher: Bencher<'_, '_>) {
        let (key, mut buf) = (Key::short_term(PASSWORD), [0; 256]);
        bencher.bench_local(|| build(black_box(&mut buf), black_box(&key), black_box(ID)).len());
    }

    #[divan::bench(sample_size = 1000)]
    fn from_a_template(bencher: Bencher<'_, '_>) {
        let (template, mut buf) = (template(), [0; 256]);
        bencher.bench_local(|| {
            let id = TransactionId::from(black_box(ID));
            template.write(black_box(&mut buf), id).unwrap().len()
        });
    }

    #[divan::bench(sample_size = 1000)]
    fn floor(bencher: Bencher<'_, '_>) {
        let (key, mut buf) = (floor::Key::new(PASSWORD), [0; 256]);
        bencher.bench_local(|| {
            let name = black_box(USERNAME);
            floor::encode_check(black_box(&mut buf), black_box(&key), black_box(ID), name).unwrap().len()
        });
    }
}

/// A success of 64 bytes.
mod build_an_answer {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn floe(bencher: Bencher<'_, '_>) {
        let (key, mut buf) = (Key::short_term(PASSWORD), [0; 256]);
        bencher.bench_local(|| {
            let id = TransactionId::from(black_box(ID));
            Builder::new(black_box(&mut buf), Class::Success, Method::BINDING, id)
                .attribute(&XorMappedAddress(black_box(FROM.into())))
                .integrity(black_box(&key))
                .fingerprint()
                .finish()
                .unwrap()
                .len()
        });
    }

    #[divan::bench(sample_size = 1000)]
    fn floor(bencher: Bencher<'_, '_>) {
        let (key, mut buf) = (floor::Key::new(PASSWORD), [0; 256]);
        bencher.bench_local(|| {
            let (id, from) = (black_box(ID), black_box(FROM));
            floor::encode_success(black_box(&mut buf), black_box(&key), id, from).unwrap().len()
        });
    }
}

/// 1200 bytes of a peer in a Data indication.
mod unwrap_an_indication {
    use super::*;

    #[divan::bench(sample_size = 1000)]
    fn floe(bencher: Bencher<'_, '_>) {
        let indication = indication();
        bencher.bench(|| {
            black_box(peer_and_data(black_box(&indication)));
        });
    }

    #[divan::bench(sample_size = 1000)]
    fn floor(bencher: Bencher<'_, '_>) {
        let indication = indication();
        bencher.bench(|| {
            black_box(floor::data_indication(black_box(&indication)));
        });
    }
}

/// As many attributes as a message can hold, none of which anybody knows: 16,383.
#[divan::bench]
fn decode_64_kilobytes_of_unknown_attributes(bencher: Bencher<'_, '_>) {
    let mut message = vec![0; MAX_MESSAGE];
    message[..HEADER_LEN].copy_from_slice(&check()[..HEADER_LEN]);
    message[2..4].copy_from_slice(&[0xFF, 0xFC]);
    message[HEADER_LEN..].as_chunks_mut().0.fill([0xC0, 0xDE, 0, 0]);
    bencher.bench(|| Message::decode(black_box(&message)).unwrap());
}

#[divan::bench]
fn refuse_noise(bencher: Bencher<'_, '_>) {
    let noise = [0x80; 1200];
    bencher.bench(|| Message::decode(black_box(&noise)).is_err());
}

#[divan::bench]
fn refuse_half_a_check(bencher: Bencher<'_, '_>) {
    let check = check();
    bencher.bench(|| Message::decode(black_box(&check[..46])).is_err());
}

#[divan::bench]
fn make_a_key_ready(bencher: Bencher<'_, '_>) {
    bencher.bench(|| Key::short_term(black_box(PASSWORD)));
}

#[divan::bench]
fn prepare_a_template(bencher: Bencher<'_, '_>) {
    bencher.bench_local(template);
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

const PASSWORD: &str = "asd88fgpdd777uzjYhagZg";
const USERNAME: &str = "evtj:h6vY";
const ID: [u8; 12] = [7; 12];
const FROM: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(203, 0, 113, 7), 40_000);

/// All that a check says.
#[derive(Debug)]
struct Check<'a> {
    id: TransactionId,
    username: &'a str,
    priority: u32,
    tie_breaker: u64,
    nominates: bool,
}

fn read(bytes: &[u8]) -> Option<Check<'_>> {
    fields(&Message::decode(bytes).ok()?)
}

fn verify<'a>(bytes: &'a [u8], key: &Key) -> Option<Check<'a>> {
    let message = Message::decode(bytes).ok()?;
    if message.fingerprint() != Some(true) {
        return None;
    }
    let message = message.verify(key).ok()?;
    fields(&message)
}

#[inline]
fn fields<'a>(message: &Message<'a>) -> Option<Check<'a>> {
    let (name, priority, controlling, nominates) = message.find_all();
    let nominates = matches!(nominates, Some(UseCandidate));
    let (Some(Username(username)), Some(Priority(priority)), Some(IceControlling(tie_breaker))) =
        (name, priority, controlling)
    else {
        return None;
    };
    Some(Check { id: message.id(), username, priority, tie_breaker, nominates })
}

fn peer_and_data(bytes: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (Some(XorPeerAddress(peer)), Some(Data(data))) = Message::decode(bytes).ok()?.find_all() else {
        return None;
    };
    Some((peer, data))
}

/// A check of which we and the floor think the same.
fn check() -> Vec<u8> {
    let (key, floor_key) = (Key::short_term(PASSWORD), floor::Key::new(PASSWORD));
    let check = build(&mut [0; 256], &key, ID).to_vec();
    assert_eq!(check.len(), 92);
    assert_eq!(Some(&check[..]), floor::encode_check(&mut [0; 256], &floor_key, ID, USERNAME));
    let ours = verify(&check, &key).unwrap();
    let floor = floor::decode_and_verify(&check, &floor_key).unwrap();
    assert_eq!((ours.id, ours.username, ours.priority), (floor.id.into(), floor.username, floor.priority));
    assert_eq!((ours.tie_breaker, ours.nominates), (floor.tie_breaker, floor.nominates));
    check
}

fn build<'b>(buf: &'b mut [u8], key: &Key, id: [u8; 12]) -> &'b [u8] {
    fill(Builder::new(buf, Class::Request, Method::BINDING, TransactionId::from(id)))
        .integrity(key)
        .fingerprint()
        .finish()
        .unwrap()
}

fn template() -> Template {
    let template = Template::new(Class::Request, Method::BINDING, fill).unwrap();
    template.signed(Key::short_term(PASSWORD), Integrity::Sha1).with_fingerprint()
}

fn fill(builder: Builder<'_>) -> Builder<'_> {
    builder
        .attribute(&Username(black_box(USERNAME)))
        .attribute(&Priority(1_862_270_975))
        .attribute(&IceControlling(0x0123_4567_89AB_CDEF))
        .attribute(&UseCandidate)
}

fn indication() -> Vec<u8> {
    let (peer, id) = (FROM.into(), TransactionId::from(ID));
    let plan = SendPlan::data_indication(SocketId(0), peer, peer, id, 1200).unwrap();
    [plan.header(), &[7; 1200], plan.trailer()].concat()
}

//! `floe decode` reads captures: every link type, both formats, datagrams and streams that came in any order.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod program;

use std::io::Write;
use std::net::SocketAddr;
use std::process::Stdio;
use std::thread;

use etherparse::PacketBuilder;
use floe_stun::attribute::{Data, Priority};
use floe_stun::{Builder, ChannelData, ChannelNumber, Class, Method, TransactionId};
use program::{floe, json_lines, stderr};
use serde_json::{Value, json};

/// A Binding request with this priority, so that it can be told from others.
fn message(priority: u32) -> Vec<u8> {
    let mut buf = [0; 64];
    let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from([7; 12]));
    builder.attribute(&Priority(priority)).finish().unwrap().to_vec()
}

fn channel_data(data: &[u8]) -> Vec<u8> {
    let header = ChannelData::header(ChannelNumber::MIN, u16::try_from(data.len()).unwrap());
    let padding = vec![0; data.len().next_multiple_of(4) - data.len()];
    [&header[..], data, &padding].concat()
}

const A: &str = "10.0.0.1:1000";
const B: &str = "10.0.0.2:2000";

/// An IP packet of UDP.
fn udp(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let builder = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64)
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), 64)
        }
        _ => panic!("two families"),
    };
    let mut packet = Vec::new();
    builder.udp(from.port(), to.port()).write(&mut packet, payload).unwrap();
    packet
}

#[derive(Clone, Copy, Default)]
struct Flags {
    syn: bool,
    fin: bool,
}

const NONE: Flags = Flags { syn: false, fin: false };
const SYN: Flags = Flags { syn: true, ..NONE };
const FIN: Flags = Flags { fin: true, ..NONE };

/// An IP packet of TCP, from A to B.
fn tcp(sequence: u32, flags: Flags, payload: &[u8]) -> Vec<u8> {
    tcp_between(A, B, sequence, flags, payload)
}

fn tcp_between(from: &str, to: &str, sequence: u32, flags: Flags, payload: &[u8]) -> Vec<u8> {
    let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, to) else { panic!("IPv4 is meant") };
    let builder = PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64);
    let builder = builder.tcp(from.port(), to.port(), sequence, 1000);
    let builder = if flags.syn { builder.syn() } else { builder.ack(1) };
    let builder = if flags.fin { builder.fin() } else { builder };
    let mut packet = Vec::new();
    builder.write(&mut packet, payload).unwrap();
    packet
}

const RAW: u32 = 101;

/// A pcap file of packets that begin as this link type says.
fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for field in [0xA1B2_C3D4, 0x0004_0002, 0, 0, 0x0004_0000, link] {
        file.extend(u32::to_le_bytes(field));
    }
    for (n, packet) in packets.iter().enumerate() {
        let len = u32::try_from(packet.len()).unwrap();
        for field in [1_700_000_000, u32::try_from(n).unwrap(), len, len] {
            file.extend(field.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

/// The same as pcapng, an interface for each link type, in either order of bytes.
fn pcapng(big: bool, packets: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let half = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let block = |kind: u32, body: &[u8]| {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let len = word(u32::try_from(12 + body.len() + padding.len()).unwrap());
        [&word(kind)[..], &len, body, &padding, &len].concat()
    };
    let header = [&word(0x1A2B_3C4D)[..], &half(1), &half(0), &[0xFF; 8]].concat();
    let mut file = block(0x0A0D_0D0A, &header);
    for (link, _) in packets {
        // Nanoseconds.
        let option = [&half(9)[..], &half(1), &[9, 0, 0, 0], &half(0), &half(0)].concat();
        let interface = [&half(u16::try_from(*link).unwrap())[..], &half(0), &word(0), &option].concat();
        file.extend(block(1, &interface));
    }
    for (n, (_, packet)) in packets.iter().enumerate() {
        let (time, len) = (1_700_000_000_500_000_000_u64, u32::try_from(packet.len()).unwrap());
        let (high, low) = (u32::try_from(time >> 32).unwrap(), u32::try_from(time & 0xFFFF_FFFF).unwrap());
        let fields = [u32::try_from(n).unwrap(), high, low, len, len];
        let body = [fields.map(word).concat(), packet.clone()].concat();
        file.extend(block(6, &body));
    }
    // A packet without time or interface.
    if let Some((_, packet)) = packets.first() {
        let len = word(u32::try_from(packet.len()).unwrap());
        file.extend(block(3, &[&len[..], packet].concat()));
    }
    file
}

/// What is told of a capture: its messages, and then what else was in it.
fn decode(file: &[u8]) -> (Vec<Value>, Value) {
    let mut command = floe(&["decode", "--json", "-"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdin, file) = (child.stdin.take().unwrap(), file.to_vec());
    let writer = thread::spawn(move || drop(stdin.write_all(&file)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(stderr(&output), "");
    let mut told = json_lines(&output);
    let summary = told.pop().unwrap();
    assert_eq!(output.status.success(), summary["ok"] == true, "{summary}");
    assert_eq!(summary["kind"], "capture");
    (told, summary)
}

fn priorities(told: &[Value]) -> Vec<u64> {
    told.iter()
        .map(|told| told["attributes"][0]["value"].as_u64().unwrap_or_else(|| panic!("{told}")))
        .collect()
}

/// The priorities of the messages in a connection.
fn of_tcp(packets: &[Vec<u8>]) -> Vec<u64> {
    let (told, summary) = decode(&pcap(RAW, packets));
    assert_eq!((&summary["ok"], &summary["gaps"]), (&true.into(), &0.into()), "{summary}");
    priorities(&told)
}

#[test]
fn every_link_type_leads_to_the_same_message() {
    let packet = udp(A, B, &message(1));
    let ethernet = |kind: [u8; 2], rest: &[u8]| [&[0; 12][..], &kind, rest].concat();
    let sll2 = [&[0x08, 0x00][..], &[0; 18]].concat();
    let packets = [
        (1, ethernet([0x08, 0x00], &packet)),
        (1, ethernet([0x81, 0x00], &[&[0, 7, 0x08, 0x00], &packet[..]].concat())),
        (1, ethernet([0x88, 0xA8], &[&[0, 7, 0x81, 0x00, 0, 8, 0x08, 0x00], &packet[..]].concat())),
        (113, [&[0; 14][..], &[0x08, 0x00], &packet].concat()),
        (276, [&sll2[..], &packet].concat()),
        (0, [&[2, 0, 0, 0], &packet[..]].concat()),
        (108, [&[0, 0, 0, 2], &packet[..]].concat()),
        (101, packet.clone()),
        (12, packet.clone()),
        (228, packet),
        (229, udp("[2001:db8::1]:1000", "[2001:db8::2]:2000", &message(1))),
        (1, ethernet([0x86, 0xDD], &udp("[2001:db8::1]:1000", "[2001:db8::2]:2000", &message(1)))),
    ];
    for (link, packet) in packets.clone() {
        let (told, summary) = decode(&pcap(link, &[packet]));
        assert_eq!(
            (priorities(&told), &summary["ok"]),
            (vec![1], &true.into()),
            "link type {link}: {summary}"
        );
    }
    for big in [false, true] {
        let (told, summary) = decode(&pcapng(big, &packets));
        assert_eq!((priorities(&told), &summary["packets"]), (vec![1; 13], &13.into()), "{summary}");
        let expected =
            json!({ "number": 1, "time": 1_700_000_000.5, "transport": "udp", "from": A, "to": B });
        assert_eq!(told[0]["packet"], expected);
        assert_eq!(told[12]["packet"]["time"], Value::Null);
    }
    let (told, summary) = decode(&pcap(147, &[vec![1, 2, 3]]));
    assert_eq!((told.len(), &summary["unread"]), (0, &1.into()));
}

#[test]
fn both_orders_of_bytes_and_both_clocks_of_pcap_are_read() {
    let packet = udp(A, B, &message(1));
    let len = u32::try_from(packet.len()).unwrap();
    for (magic, fraction) in [(0xA1B2_C3D4_u32, 500_000), (0xA1B2_3C4D, 500_000_000)] {
        for big in [false, true] {
            let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
            let version = if big { 0x0002_0004 } else { 0x0004_0002 };
            let fields = [magic, version, 0, 0, 0x0004_0000, RAW, 1_700_000_000, fraction, len, len];
            let file = [fields.map(word).concat(), packet.clone()].concat();
            let (told, _) = decode(&file);
            assert_eq!(told[0]["packet"]["time"], 1_700_000_000.5, "{magic:x}, {big}");
        }
    }
}

#[test]
fn other_traffic_is_counted_and_not_judged() {
    let turn = {
        let mut buf = [0; 64];
        let builder = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, TransactionId::from([1; 12]));
        builder.finish().unwrap().to_vec()
    };
    let (told, summary) = decode(&pcap(
        RAW,
        &[
            udp(A, B, b"\x16\xFE\xFDnot for us"),
            // QUIC, and DNS with the number of a Binding request.
            udp(A, B, b"\x41\x00\x00\x02too long for ChannelData"),
            udp(A, B, b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x07example\x03org\0\0\x01\0\x01"),
            udp(A, B, b""),
            udp(A, B, &message(1)),
            udp(A, B, &channel_data(b"data")),
            udp(A, B, b"\x40\0\0\x03abc"),
            udp(A, B, &turn),
            // From now on nothing else begins so.
            udp(B, A, b"\x40\0\0\x09cut off"),
        ],
    ));
    let kinds: Vec<&Value> = told.iter().map(|told| &told["kind"]).collect();
    assert_eq!(json!(kinds), json!(["stun", "channeldata", "channeldata", "stun", "channeldata"]));
    assert_eq!((&summary["other"], &summary["refused"]), (&3.into(), &1.into()));
    assert_eq!(summary["error"], "refused: 1 of 5 messages could not be decoded");
}

#[test]
fn classic_stun_is_refused_with_a_hint() {
    let (told, _) = decode(&pcap(RAW, &[udp(A, B, b"\0\x01\0\x04abcdefghijklmnop\0\x06\0\0")]));
    assert!(told[0]["error"].as_str().unwrap().starts_with("no-cookie: "), "{told:?}");
    assert!(told[0]["notes"].to_string().contains("RFC 3489"), "{told:?}");
}

#[test]
fn fragments_are_counted() {
    let mut packet = udp(A, B, &message(1));
    packet[6] = 0x20;
    let (told, summary) = decode(&pcap(RAW, &[packet, udp(A, B, &message(2))]));
    assert_eq!((priorities(&told), &summary["fragments"]), (vec![2], &1.into()));
}

#[test]
fn a_capture_without_stun_is_told_to_have_none() {
    let (_, summary) = decode(&pcap(RAW, &[udp(A, B, b"hello")]));
    assert_eq!(summary["error"], "nothing: no STUN and no ChannelData in 1 packets");
}

#[test]
fn a_broken_file_is_read_up_to_where_it_breaks() {
    let file = pcap(RAW, &[udp(A, B, &message(1)), udp(A, B, &message(2))]);
    for (cut, read) in [(file.len() - 1, 1), (24 + 16 + 3, 0), (30, 0)] {
        let (told, summary) = decode(&file[..cut]);
        assert_eq!((told.len(), &summary["ok"]), (read, &false.into()));
        assert_eq!(summary["error"], "bad-capture: the file ends within a packet", "{cut}");
    }
    let mut huge = file;
    huge[24 + 8..24 + 16].copy_from_slice(&[0xFF; 8]);
    let (_, summary) = decode(&huge);
    assert!(summary["error"].as_str().unwrap().contains("larger than 16 MiB"), "{summary}");
    let (_, summary) = decode(b"\xD4\xC3\xB2\xA1");
    assert!(summary["error"].as_str().unwrap().starts_with("bad-capture: "), "{summary}");
}

/// Whatever the bytes of a capture, there is an end, an answer and no panic.
#[test]
fn no_bent_capture_panics() {
    let packets = [udp(A, B, &message(1)), tcp(0, SYN, b""), tcp(1, NONE, &message(2))];
    let ng: Vec<_> = packets.iter().map(|packet| (RAW, packet.clone())).collect();
    for file in [pcap(RAW, &packets), pcapng(false, &ng)] {
        for at in 4..file.len().min(200) {
            let mut bent = file.clone();
            bent[at] ^= 0xFF;
            decode(&bent);
        }
    }
}

#[test]
fn a_message_may_come_in_pieces_and_several_in_one() {
    let stream = [message(1), message(2), message(3)].concat();
    let (a, rest) = stream.split_at(5);
    let (b, c) = rest.split_at(50);
    let told = of_tcp(&[tcp(9, SYN, b""), tcp(10, NONE, a), tcp(15, NONE, b), tcp(65, FIN, c)]);
    assert_eq!(told, [1, 2, 3]);
}

#[test]
fn segments_are_put_in_order_and_what_comes_again_is_passed_over() {
    let stream = [message(1), message(2), message(3), message(4)].concat();
    let piece = |from: usize, to: usize| tcp(10 + u32::try_from(from).unwrap(), NONE, &stream[from..to]);
    let packets = [
        tcp(9, SYN, b""),
        piece(40, 60),
        piece(0, 10),
        piece(0, 10),
        piece(60, 112),
        piece(5, 45),
        piece(20, 50),
        piece(0, 112),
        tcp(9, NONE, b"\0"),
    ];
    assert_eq!(of_tcp(&packets), [1, 2, 3, 4]);
}

#[test]
fn sequence_numbers_go_around() {
    let (first, start) = (message(1), u32::MAX - 5);
    let second = message(2);
    let after = start.wrapping_add(1).wrapping_add(28);
    let packets = [tcp(start, SYN, b""), tcp(after, NONE, &second), tcp(start.wrapping_add(1), NONE, &first)];
    assert_eq!(of_tcp(&packets), [1, 2]);
}

#[test]
fn directions_and_connections_are_kept_apart() {
    let (one, other) = (message(1), message(2));
    let packets = [
        tcp_between(A, B, 1, SYN, b""),
        tcp_between(B, A, 1, SYN, b""),
        tcp_between(A, B, 2, NONE, &one[..9]),
        tcp_between(B, A, 2, NONE, &other[..15]),
        tcp_between(B, A, 17, NONE, &other[15..]),
        tcp_between(A, B, 11, FIN, &one[9..]),
        // The same sockets again.
        tcp_between(A, B, 500, SYN, b""),
        tcp_between(A, B, 501, NONE, &message(3)),
    ];
    assert_eq!(of_tcp(&packets), [2, 1, 3]);
}

#[test]
fn channel_data_and_packets_behind_their_length_are_cut_too() {
    let turn = [message(1), channel_data(b"hello"), message(2)].concat();
    let (told, _) = decode(&pcap(RAW, &[tcp(0, SYN, b""), tcp(1, NONE, &turn)]));
    let kinds: Vec<&Value> = told.iter().map(|told| &told["kind"]).collect();
    assert_eq!(json!(kinds), json!(["stun", "channeldata", "stun"]));
    assert_eq!((&told[1]["data"], &told[1]["packet"]["transport"]), (&"68656c6c6f".into(), &"tcp".into()));

    let framed = |packet: &[u8]| [&u16::try_from(packet.len()).unwrap().to_be_bytes(), packet].concat();
    let ice = [framed(&message(1)), framed(b"\x16\xFE\xFDdtls"), framed(&message(2))].concat();
    assert_eq!(of_tcp(&[tcp(0, SYN, b""), tcp(1, NONE, &ice[..31]), tcp(32, NONE, &ice[31..])]), [1, 2]);
}

/// RFC 6062 §5.4: then the connection carries what the peers say to each other, both ways.
#[test]
fn behind_a_connection_bind_other_streams_begin() {
    let of = |class, method| {
        let mut buf = [0; 20];
        let builder = Builder::new(&mut buf, class, method, TransactionId::from([1; 12]));
        builder.finish().unwrap().to_vec()
    };
    let framed = |packet: &[u8]| [&u16::try_from(packet.len()).unwrap().to_be_bytes(), packet].concat();
    let (asked, done) =
        (of(Class::Request, Method::CONNECTION_BIND), of(Class::Success, Method::CONNECTION_BIND));
    let packets = [
        tcp_between(A, B, 0, SYN, b""),
        tcp_between(B, A, 0, SYN, b""),
        tcp_between(A, B, 1, NONE, &asked),
        tcp_between(B, A, 1, NONE, &[done, framed(&message(1))].concat()),
        tcp_between(A, B, 21, NONE, &framed(&message(2))),
        tcp_between(A, B, 51, NONE, &framed(b"\x16\xFE\xFDis DTLS")),
    ];
    let (told, summary) = decode(&pcap(RAW, &packets));
    assert_eq!((&summary["messages"], &summary["refused"]), (&4.into(), &0.into()), "{told:?}");
    assert_eq!(priorities(&told[2..]), [1, 2]);
}

#[test]
fn a_capture_may_begin_in_the_middle_of_a_connection() {
    let rest = &message(1)[7..];
    let packets = [tcp(1000, NONE, rest), tcp(1021, NONE, &message(2)), tcp(1049, NONE, &message(3))];
    assert_eq!(of_tcp(&packets), [2, 3]);
}

#[test]
fn reading_begins_anew_behind_a_hole() {
    let packets = [
        tcp(0, SYN, b""),
        tcp(1, NONE, &message(1)),
        tcp(29, NONE, &message(2)[..9]),
        // Here 19 bytes are missing.
        tcp(57, NONE, &message(3)),
    ];
    let (told, summary) = decode(&pcap(RAW, &packets));
    assert_eq!((told.len(), &summary["gaps"], &summary["refused"]), (3, &1.into(), &1.into()), "{told:?}");
    assert!(told[1]["error"].as_str().unwrap().starts_with("truncated: the stream ends within"), "{told:?}");
    assert_eq!(priorities(&told[2..]), [3]);
}

#[test]
fn other_connections_are_passed_over() {
    let web = b"GET / HTTP/1.1\r\n\r\n";
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let (told, summary) = decode(&pcap(
        RAW,
        &[
            tcp(0, SYN, b""),
            tcp(1, NONE, web),
            tcp_between(B, A, 0, SYN, b""),
            tcp_between(B, A, 1, NONE, tls),
            tcp(19, NONE, &message(1)),
        ],
    ));
    assert_eq!((told.len(), &summary["messages"]), (0, &0.into()));
}

/// Whoever scans ports leaves many connections behind that never say anything.
#[test]
fn connections_that_say_nothing_keep_nobody_out() {
    let from = |n: u16| format!("10.{}.{}.1:1000", 100 + (n >> 8), n & 0xFF);
    let mut packets: Vec<_> = (0..5000).map(|n| tcp_between(&from(n), B, 0, SYN, b"")).collect();
    packets.extend([
        tcp(0, SYN, b""),
        tcp(1, NONE, &message(1)),
        tcp_between(&from(7), B, 1, NONE, &message(2)),
    ]);
    assert_eq!(of_tcp(&packets), [1, 2]);
}

/// A relay's port, and so no web server: ChannelData from the first byte.
#[test]
fn on_the_port_of_turn_a_stream_may_begin_with_channel_data() {
    let packet = tcp_between(A, "10.0.0.2:3478", 1000, NONE, &channel_data(b"data"));
    let (told, _) = decode(&pcap(RAW, &[packet]));
    assert_eq!(told[0]["kind"], "channeldata");
}

#[test]
fn what_a_send_indication_carries_is_shown_in_it() {
    let inner = message(9);
    let mut buf = [0; 128];
    let builder = Builder::new(&mut buf, Class::Indication, Method::SEND, TransactionId::from([3; 12]));
    let outer = builder.attribute(&Data(&inner)).finish().unwrap();
    let (told, summary) = decode(&pcap(RAW, &[udp(A, B, outer)]));
    assert_eq!(told[0]["attributes"][0]["inner"]["attributes"][0]["value"], 9);
    assert_eq!(summary["messages"], 1, "it is one message");
}

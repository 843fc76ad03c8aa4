//! What holds for all messages, not only for those somebody thought of.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_stun::attribute::*;
use floe_stun::resolve::{Naptr, Query, Records, Resolution, Srv, Step};
use floe_stun::stream::{Cutter, Frame, Framing, StreamError, packet_prefix};
use floe_stun::{
    Builder, ChannelData, ChannelNumber, Class, HEADER_LEN, Instant, Integrity, Key, MAGIC_COOKIE, Message,
    Method, Password, Protocol, Redirects, Rto, RtoBounds, SendPlan, SocketId, Source, Template,
    TransactionId, Transport, Uri, userhash,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Writes an attribute into a message, reads it back, and expects the same value.
macro_rules! survives {
    ($id:expr, $value:expr, $type:ty) => {{
        let value: $type = $value;
        let bytes = message($id, |builder| builder.attribute(&value));
        let message = Message::decode(&bytes).unwrap();
        prop_assert_eq!(message.attributes().count(), 1);
        prop_assert_eq!(message.get::<$type>(), Some(Ok(value)));
    }};
}

proptest! {
    #[test]
    fn addresses_survive(id in id(), address in address()) {
        survives!(id, MappedAddress(address), MappedAddress);
        survives!(id, XorMappedAddress(address), XorMappedAddress);
        survives!(id, XorPeerAddress(address), XorPeerAddress);
        survives!(id, XorRelayedAddress(address), XorRelayedAddress);
        survives!(id, AlternateServer(address), AlternateServer);
        survives!(id, ResponseOrigin(address), ResponseOrigin);
        survives!(id, OtherAddress(address), OtherAddress);
    }

    #[test]
    fn texts_survive(id in id(), text in "\\PC{0,120}") {
        survives!(id, Username(&text), Username<'_>);
        survives!(id, Realm(&text), Realm<'_>);
        survives!(id, Nonce(&text), Nonce<'_>);
        survives!(id, Software(&text), Software<'_>);
    }

    #[test]
    fn domains_survive(id in id(), name in "([a-zA-Z0-9]([a-z0-9-]{0,30}[a-z0-9])?\\.){0,6}[a-z]{1,61}\\.?") {
        survives!(id, AlternateDomain(&name), AlternateDomain<'_>);
    }

    #[test]
    fn numbers_survive(id in id(), wide: u64, number: u32, short: u16, byte: u8, bytes: [u8; 8]) {
        survives!(id, Priority(number), Priority);
        survives!(id, IceControlled(wide), IceControlled);
        survives!(id, IceControlling(wide), IceControlling);
        survives!(id, Lifetime(Duration::from_secs(number.into())), Lifetime);
        survives!(id, ChannelNumberAttribute(short), ChannelNumberAttribute);
        survives!(id, RequestedTransport(byte), RequestedTransport);
        survives!(id, ReservationToken(bytes), ReservationToken);
        survives!(id, PasswordAlgorithm(Algorithm(short)), PasswordAlgorithm);
        survives!(id, IcmpAttribute { kind: byte, code: bytes[0], data: number }, IcmpAttribute);
    }

    #[test]
    fn choices_survive(id in id(), reserve_next: bool, family in family()) {
        survives!(id, EvenPort { reserve_next }, EvenPort);
        survives!(id, RequestedAddressFamily(family), RequestedAddressFamily);
        survives!(id, AdditionalAddressFamily(family), AdditionalAddressFamily);
        survives!(id, UseCandidate, UseCandidate);
        survives!(id, DontFragment, DontFragment);
    }

    #[test]
    fn attributes_of_extensions_survive(
        id in id(),
        number: u32,
        short: u16,
        byte: u8,
        change: (bool, bool),
        bytes in vec(any::<u8>(), 0..300),
        name in "[a-z0-9.-]{0,255}",
    ) {
        survives!(id, ChangeRequest { ip: change.0, port: change.1 }, ChangeRequest);
        survives!(id, ResponsePort(short), ResponsePort);
        survives!(id, Padding(&bytes), Padding<'_>);
        survives!(id, ConnectionId(number), ConnectionId);
        survives!(id, MobilityTicket(&bytes), MobilityTicket<'_>);
        survives!(id, AccessToken(&bytes), AccessToken<'_>);
        survives!(id, ThirdPartyAuthorization(&name), ThirdPartyAuthorization<'_>);
        survives!(id, TransmitCounter { request: byte, response: byte ^ 1 }, TransmitCounter);
        survives!(id, Nomination::new(number >> 8).unwrap(), Nomination);
    }

    #[test]
    fn attributes_of_browsers_survive(
        id in id(),
        last in id(),
        number: u32,
        short: u16,
        cost: u16,
        bytes in vec(any::<u8>(), 0..300),
        acks in vec(any::<u32>(), 0..5),
    ) {
        survives!(id, GoogNetworkInfo { network: short, cost }, GoogNetworkInfo);
        survives!(id, GoogLastIceCheckReceived(last), GoogLastIceCheckReceived);
        survives!(id, GoogMiscInfo::from_bytes(&bytes), GoogMiscInfo<'_>);
        survives!(id, GoogMessageIntegrity32(number), GoogMessageIntegrity32);
        survives!(id, MetaDtlsInStun(&bytes), MetaDtlsInStun<'_>);
        let value: Vec<u8> = acks.iter().flat_map(|ack| ack.to_be_bytes()).collect();
        survives!(id, MetaDtlsInStunAck::from_bytes(&value), MetaDtlsInStunAck<'_>);
        prop_assert_eq!(MetaDtlsInStunAck::from_bytes(&value).iter().collect::<Vec<_>>(), acks);
    }

    /// Whoever speaks no extension must refuse what must be understood, and no more than that.
    #[test]
    fn what_must_be_understood_is_either_basic_or_listed(id in id(), kind in attribute_type(), understood: u16) {
        prop_assume!(![MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, FINGERPRINT].contains(&kind));
        let bytes = message(id, |builder| builder.attribute_as(kind, &Padding(&[])));
        let message = Message::decode(&bytes).unwrap();
        let listed = message.has(kind) && kind < 0x8000 && (!is_known(kind) || is_of_extension(kind));
        prop_assert!(message.unknown_required().eq(listed.then_some(kind)));
        let listed = listed && kind != understood;
        prop_assert!(message.unknown_required_but(&[understood]).eq(listed.then_some(kind)));
        prop_assert!(message.unknown_required_but(&[kind]).next().is_none());
    }

    #[test]
    fn errors_survive(id in id(), code in 300..700_u16, reason in "\\PC{0,120}", family in family()) {
        survives!(id, ErrorCode { code, reason: &reason }, ErrorCode<'_>);
        survives!(id, AddressErrorCode { family, code, reason: &reason }, AddressErrorCode<'_>);
    }

    #[test]
    fn bytes_survive(id in id(), bytes in vec(any::<u8>(), 0..300), user in "\\PC{0,20}") {
        survives!(id, Data(&bytes), Data<'_>);
        survives!(id, userhash(&user, "example.org"), UserHash);
    }

    #[test]
    fn lists_survive(id in id(), types in vec(any::<u16>(), 0..40), algorithms in vec(any::<u16>(), 0..9)) {
        let bytes = message(id, |builder| builder.attribute(&UnknownAttributes::new(&types)));
        let read: UnknownAttributes<'_> = Message::decode(&bytes).unwrap().find().unwrap();
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), types);

        let value: Vec<u8> = algorithms.iter().flat_map(|n| [(n >> 8) as u8, *n as u8, 0, 0]).collect();
        survives!(id, PasswordAlgorithms::from_bytes(&value), PasswordAlgorithms<'_>);
        let read = PasswordAlgorithms::from_bytes(&value).iter().map(|algorithm| algorithm.0);
        prop_assert_eq!(read.collect::<Vec<_>>(), algorithms);
    }

    #[test]
    fn header_fields_survive(id in id(), class in class(), number in 0..=0xFFF_u16) {
        let method = Method::new(number).unwrap();
        let mut buf = [0; HEADER_LEN];
        let bytes = Builder::new(&mut buf, class, method, id).finish().unwrap();
        let message = Message::decode(bytes).unwrap();
        prop_assert_eq!((message.class(), message.method(), message.id()), (class, method, id));
    }

    /// What XOR-MAPPED-ADDRESS carries for `address`, read as if it were plain and written again, is `address`.
    #[test]
    fn xor_is_an_involution(id in id(), address in address()) {
        let once = xored(address, id);
        prop_assert_ne!(once, address, "the cookie is never zero");
        prop_assert_eq!(xored(once, id), address);
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_everything(&bytes);
    }

    #[test]
    fn no_body_behind_a_right_header_panics(
        kind in 0..0x4000_u16,
        attributes in vec((attribute_type(), vec(any::<u8>(), 0..40), 0..3_u16), 0..8),
    ) {
        let mut body = Vec::new();
        for (kind, value, lie) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend((u16::try_from(value.len()).unwrap() + lie).to_be_bytes());
            body.extend(&value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(MAGIC_COOKIE.to_be_bytes());
        bytes.extend([7; 12]);
        bytes.extend(body);
        read_everything(&bytes);
    }

    #[test]
    fn no_cut_or_bent_message_panics(bytes in signed(), at: prop::sample::Index, byte: u8) {
        let mut bent = bytes.clone();
        bent[at.index(bytes.len())] = byte;
        read_everything(&bent);
        read_everything(&bytes[..at.index(bytes.len())]);
    }

    #[test]
    fn the_right_key_verifies(bytes in signed(), other in "[a-z]{1,30}") {
        let message = Message::decode(&bytes).unwrap();
        prop_assert!(message.verify(&key()).is_ok());
        prop_assert!(message.verify(&Key::short_term(&other)).is_err());
        prop_assert_eq!(message.fingerprint(), Some(true));
    }

    #[test]
    fn a_flipped_bit_never_verifies(bytes in signed(), at: prop::sample::Index, bit in 0..8_u8) {
        let covered = bytes.len() - FINGERPRINT_LEN;
        let mut bent = bytes.clone();
        bent[at.index(covered)] ^= 1 << bit;
        if let Ok(Ok(verified)) = Message::decode(&bent).as_ref().map(|message| message.verify(&key())) {
            // Of two seals the outer one can be made unrecognisable; the inner one then vouches for the same.
            prop_assert_eq!(verified.by(), Integrity::Sha1);
            prop_assert!(verified.attributes().eq(Message::decode(&bytes).unwrap().attributes()));
            prop_assert_eq!(&bent[..HEADER_LEN], &bytes[..HEADER_LEN]);
        }
    }

    #[test]
    fn a_flipped_bit_breaks_the_fingerprint(bytes in signed(), at: prop::sample::Index, bit in 0..8_u8) {
        let mut bent = bytes;
        let len = bent.len();
        bent[at.index(len)] ^= 1 << bit;
        prop_assert_ne!(Message::decode(&bent).ok().and_then(|message| message.fingerprint()), Some(true));
    }

    #[test]
    fn channel_data_survives(number in 0x4000..=0x4FFF_u16, data in vec(any::<u8>(), 0..300), padding in 0..4_usize) {
        let channel = ChannelNumber::new(number).unwrap();
        let mut bytes = ChannelData::header(channel, u16::try_from(data.len()).unwrap()).to_vec();
        bytes.extend(&data);
        bytes.resize(bytes.len() + padding, 0xEE);
        let read = ChannelData::decode(&bytes).unwrap();
        prop_assert_eq!((read.channel, read.data), (channel, &data[..]));
    }

    #[test]
    fn a_template_writes_what_a_builder_writes_under_every_id(
        id in id(),
        user in "\\PC{0,40}",
        priority: u32,
        sealed: bool,
        sha256: bool,
        fingerprint: bool,
    ) {
        let mut built = [0xAA; 512];
        let (class, method) = (Class::Request, Method::BINDING);
        let len = {
            let builder = Builder::new(&mut built, class, method, id).attribute(&Username(&user)).attribute(&Priority(priority));
            match (sealed, sha256, fingerprint) {
                (false, _, false) => builder.finish(),
                (false, _, true) => builder.fingerprint().finish(),
                (true, false, false) => builder.integrity(&key()).finish(),
                (true, false, true) => builder.integrity(&key()).fingerprint().finish(),
                (true, true, false) => builder.integrity_sha256(&key()).finish(),
                (true, true, true) => builder.integrity_sha256(&key()).fingerprint().finish(),
            }
            .unwrap()
            .len()
        };
        let mut template = Template::new(class, method, |builder| {
            builder.attribute(&Username(&user)).attribute(&Priority(priority))
        })
        .unwrap();
        if sealed {
            template = template.signed(key(), if sha256 { Integrity::Sha256 } else { Integrity::Sha1 });
        }
        if fingerprint {
            template = template.with_fingerprint();
        }
        let mut ours = [0xEE; 512];
        prop_assert_eq!(template.write(&mut ours, id), Ok(&built[..len]));
    }

    /// Whatever the DNS says, a resolution ends, within its bounds, and tries no server twice.
    #[test]
    fn a_resolution_ends(
        uri in "(stuns?|turns?):(a\\.example|192\\.0\\.2\\.1)(:[1-9][0-9]{0,3})?",
        answers in vec((0..4_u8, vec((any::<u8>(), dns_name(), any::<u16>()), 0..40)), 1..8),
        seed: [u8; 32],
    ) {
        let all = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Dtls];
        let mut resolution = Resolution::new(&uri.parse().unwrap(), &all, Some("a.example"), seed).unwrap();
        let (mut asked, mut tried) = (0, Vec::new());
        loop {
            match resolution.step() {
                Step::Ask(_) => {
                    let (kind, records) = &answers[asked % answers.len()];
                    answer_by(&mut resolution, *kind, records);
                    asked += 1;
                }
                Step::Try(server) => tried.push((server.transport, server.address)),
                Step::Exhausted => break,
            }
        }
        prop_assert!(asked <= Resolution::MAX_QUESTIONS && tried.len() <= Resolution::MAX_SERVERS);
        let tries = tried.len();
        tried.sort_unstable();
        tried.dedup();
        prop_assert_eq!(tried.len(), tries);
    }

    /// Whatever was measured, the RTO has its bounds and lies above the smoothed round-trip time.
    #[test]
    fn the_rto_keeps_its_bounds(samples in vec(any::<u64>(), 1..20), floor in 1..2000_u64) {
        let floor = Duration::from_millis(floor);
        let bounds = RtoBounds::DEFAULT.with_floor(floor);
        let mut rto = Rto::new(bounds);
        for sample in samples {
            let rtt = Duration::from_nanos(sample);
            if sample % 5 == 0 { rto.back_off(rtt) } else { rto.sample(rtt) }
            prop_assert!((floor..=bounds.ceiling).contains(&rto.get()));
            prop_assert!(rto.srtt().is_none_or(|srtt| srtt < rto.get() || rto.get() == bounds.ceiling));
        }
    }

    /// However the network cuts a stream, the same frames and the same error come out.
    #[test]
    fn a_stream_reads_the_same_however_it_was_cut(
        framing in framing(),
        stream in stream(),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|at| at.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let segments: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        let whole = cut_stream(framing, &[&stream]);
        prop_assert_eq!(&cut_stream(framing, &segments), &whole);
        prop_assert_eq!(&cut_stream(framing, &stream.chunks(1).collect::<Vec<_>>()), &whole);
    }

    #[test]
    fn packets_behind_their_length_survive_a_stream(packets in vec(vec(any::<u8>(), 1..300), 0..10)) {
        let mut stream = Vec::new();
        for packet in &packets {
            stream.extend(packet_prefix(u16::try_from(packet.len()).unwrap()));
            stream.extend(packet);
        }
        let (frames, error) = cut_stream(Framing::Rfc4571, &[&stream]);
        prop_assert_eq!((frames, error), (packets, None));
    }

    #[test]
    fn channel_data_survives_a_stream(packets in vec((0x4000..=0x4FFF_u16, vec(any::<u8>(), 0..300)), 0..10)) {
        let (mut stream, mut cutter) = (Vec::new(), Cutter::new(Framing::Turn));
        for (number, data) in &packets {
            let channel = ChannelNumber::new(*number).unwrap();
            stream.extend(ChannelData::header(channel, u16::try_from(data.len()).unwrap()));
            stream.extend(data);
            stream.resize(stream.len().next_multiple_of(4), 0xEE);
        }
        let mut rest = &stream[..];
        for (number, data) in &packets {
            let Ok(Some(Frame::ChannelData(read))) = cutter.cut(&mut rest) else { panic!("no frame") };
            prop_assert_eq!((read.channel.get(), read.data), (*number, &data[..]));
        }
        prop_assert_eq!(cutter.cut(&mut rest), Ok(None));
    }

    /// Who has no QUIC loses nothing but QUIC, and what a TURN server may send is a part of what may come at all.
    #[test]
    fn the_tables_of_demultiplexing_agree(packet in vec(any::<u8>(), 0..4)) {
        let (peer, old) = (Protocol::of(&packet, Source::Peer), Protocol::of_without_quic(&packet));
        match Protocol::of(&packet, Source::TurnServer) {
            Some(from_server) => prop_assert_eq!(old, Some(from_server)),
            None => prop_assert_eq!(old, peer.filter(|protocol| *protocol != Protocol::Quic)),
        }
        prop_assert!(!Message::is_probably(&packet) || peer == Some(Protocol::Stun));
    }

    #[test]
    fn wrapped_data_is_unwrapped(id in id(), peer in address(), data in vec(any::<u8>(), 0..1500)) {
        let relay = "192.0.2.1:3478".parse().unwrap();
        let plan = SendPlan::send_indication(SocketId(0), relay, peer, id, data.len()).unwrap();
        let mut packet = vec![0xEE; plan.packet_len()];
        packet[plan.headroom()..][..data.len()].copy_from_slice(&data);
        plan.wrap(&mut packet);
        let message = Message::decode(&packet).unwrap();
        prop_assert_eq!(message.find(), Some(XorPeerAddress(peer)));
        prop_assert_eq!(message.find(), Some(Data(&data)));
    }

    #[test]
    fn a_uri_is_read_back_as_it_was_written(text in "(stuns?|turns?):[a-zA-Z0-9.:\\[\\]?=-]{0,30}") {
        if let Ok(uri) = text.parse::<Uri>() {
            prop_assert_eq!(uri.to_string().parse::<Uri>(), Ok(uri));
        }
    }

    #[test]
    fn no_text_panics_the_uri_parser(text in "\\PC{0,60}") {
        let _ = text.parse::<Uri>();
        let _ = format!("turn:{text}").parse::<Uri>();
    }
}

// What is written is read, what is read is written: whole messages, attribute by attribute.
proptest! {
    #[test]
    fn attributes_of_any_type_come_back_in_their_order(id in id(), class in class(), attributes in raw_attributes()) {
        let written = raw_message(class, id, &attributes);
        let message = Message::decode(&written).unwrap();
        let read: Vec<(u16, Vec<u8>)> = message.attributes().map(|raw| (raw.kind, raw.value.to_vec())).collect();
        prop_assert_eq!(&read, &attributes);
        for (kind, _) in &attributes {
            let first = attributes.iter().find(|(other, _)| other == kind).unwrap();
            prop_assert_eq!(message.get_as(*kind), Some(Ok(Padding(&first.1))), "the first one counts");
        }
        prop_assert_eq!(raw_message(class, message.id(), &read), written);
    }

    #[test]
    fn every_message_type_is_a_method_and_a_class(kind in 0..0x4000_u16, id in id()) {
        let mut bytes = [0; HEADER_LEN];
        let _ = Builder::new(&mut bytes, Class::Request, Method::BINDING, id).finish().unwrap();
        bytes[..2].copy_from_slice(&kind.to_be_bytes());
        let message = Message::decode(&bytes).unwrap();
        let mut again = [0xEE; HEADER_LEN];
        let again = Builder::new(&mut again, message.class(), message.method(), id).finish().unwrap();
        prop_assert_eq!(again, bytes);
    }

    /// RFC 8489 §14: the padding may have any value, and is ignored; ours is zero.
    #[test]
    fn padding_says_nothing(id in id(), attributes in raw_attributes(), filler: u8) {
        let written = raw_message(Class::Request, id, &attributes);
        let mut bent = written.clone();
        for at in padding(&written) {
            prop_assert_eq!(written[at], 0);
            bent[at] = filler;
        }
        let (plain, bent) = (Message::decode(&written).unwrap(), Message::decode(&bent).unwrap());
        prop_assert!(plain.attributes().eq(bent.attributes()));
    }

    /// The covered view: whatever is put behind a seal is not there, and the seal is none the worse.
    #[test]
    fn what_stands_behind_a_seal_does_not_show(
        id in id(),
        attributes in raw_attributes(),
        behind in raw_attributes(),
        sha256: bool,
    ) {
        let mut buf = [0xEE; 8192];
        let builder = raw_builder(&mut buf, Class::Request, id, &attributes);
        let sealed = if sha256 { builder.integrity_sha256(&key()).finish() } else { builder.integrity(&key()).finish() };
        let sealed = sealed.unwrap().to_vec();
        let mut longer = sealed.clone();
        longer.extend(&raw_message(Class::Request, id, &behind)[HEADER_LEN..]);
        let length = u16::try_from(longer.len() - HEADER_LEN).unwrap();
        longer[2..4].copy_from_slice(&length.to_be_bytes());

        let message = Message::decode(&longer).unwrap();
        prop_assert!(message.attributes().eq(Message::decode(&sealed).unwrap().attributes()));
        prop_assert!(message.unknown_required().eq(Message::decode(&sealed).unwrap().unknown_required()));
        prop_assert!(behind.iter().all(|(kind, _)| message.has(*kind) == attributes.iter().any(|(k, _)| k == kind)));
        prop_assert!(message.verify(&key()).is_ok(), "it covers what stands before it, and nothing else");
    }

    /// Of a message that begins well there is missing what its header says, neither more nor less.
    #[test]
    fn a_part_of_a_message_is_no_message(bytes in signed(), at: prop::sample::Index) {
        let at = at.index(bytes.len());
        let need = if at < HEADER_LEN { HEADER_LEN } else { bytes.len() };
        let error = Message::decode(&bytes[..at]).unwrap_err();
        prop_assert_eq!(error, floe_stun::DecodeError::Truncated { need, have: at });
    }

    /// RFC 8489 §14.2 to the letter: the port and the address, XORed with the cookie and the id.
    #[test]
    fn an_xored_address_is_the_plain_one_under_a_mask(id in id(), address in address()) {
        let mut plain = vec![0; MappedAddress(address).encoded_len()];
        MappedAddress(address).encode(&mut plain, id).unwrap();
        let mask = [&MAGIC_COOKIE.to_be_bytes()[..], id.as_bytes()].concat();
        for (byte, mask) in plain[2..4].iter_mut().zip(&mask) {
            *byte ^= mask;
        }
        for (byte, mask) in plain[4..].iter_mut().zip(&mask) {
            *byte ^= mask;
        }
        prop_assert_eq!(XorMappedAddress::decode(&plain, id), Ok(XorMappedAddress(address)));
        prop_assert_eq!(XorPeerAddress::decode(&plain, id), Ok(XorPeerAddress(address)));
        prop_assert_eq!(XorRelayedAddress::decode(&plain, id), Ok(XorRelayedAddress(address)));
    }

    #[test]
    fn a_key_derived_here_is_one_derived_elsewhere(user in "\\PC{0,20}", realm in "\\PC{0,20}", password in "\\PC{0,20}", id in id()) {
        use md5::Digest;
        let text = format!("{user}:{realm}:{password}");
        let password = Password::new(password);
        let pairs = [
            (Key::long_term_md5(&user, &realm, &password), md5::Md5::digest(&text).to_vec()),
            (Key::long_term_sha256(&user, &realm, &password), sha2::Sha256::digest(&text).to_vec()),
        ];
        for (derived, bytes) in pairs {
            let mut buf = [0; 64];
            let builder = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, id);
            let message = Message::decode(builder.integrity(&derived).finish().unwrap()).unwrap();
            prop_assert!(message.verify(&Key::from_bytes(&bytes)).is_ok());
        }
    }
}

// Streams, wherever the network cuts them.
proptest! {
    #[test]
    fn a_stream_cut_in_two_anywhere_reads_the_same(framing in framing(), stream in stream()) {
        let whole = cut_stream(framing, &[&stream]);
        for at in 0..=stream.len() {
            let (first, second) = stream.split_at(at);
            prop_assert_eq!(&cut_stream(framing, &[first, second]), &whole, "cut at {}", at);
        }
    }

    /// What is missing is told to the byte: with one byte less nothing comes out, with it the frame does.
    #[test]
    fn a_frame_that_is_pending_tells_what_it_lacks(bytes in signed(), at: prop::sample::Index) {
        let at = 1 + at.index(bytes.len() - 1);
        let mut cutter = Cutter::new(Framing::Stun);
        let (mut first, mut rest) = bytes.split_at(at);
        prop_assert_eq!(cutter.cut(&mut first), Ok(None));
        while !rest.is_empty() {
            let pending = cutter.pending().unwrap();
            let (mut short, after) = rest.split_at(pending.missing - 1);
            prop_assert_eq!(cutter.cut(&mut short), Ok(None));
            let (mut last, after) = after.split_at(1);
            let ends = after.is_empty();
            prop_assert_eq!(cutter.cut(&mut last).unwrap().is_some(), ends);
            rest = after;
        }
        prop_assert_eq!(cutter.pending(), None);
    }

    /// RFC 4571 §2: a packet of no bytes is a null packet, to be ignored.
    #[test]
    fn null_packets_say_nothing(packets in vec(vec(any::<u8>(), 0..20), 0..20)) {
        let mut stream = Vec::new();
        for packet in &packets {
            stream.extend(packet_prefix(u16::try_from(packet.len()).unwrap()));
            stream.extend(packet);
        }
        let (frames, error) = cut_stream(Framing::Rfc4571, &stream.chunks(3).collect::<Vec<_>>());
        let told: Vec<Vec<u8>> = packets.into_iter().filter(|packet| !packet.is_empty()).collect();
        prop_assert_eq!((frames, error), (told, None));
    }

    /// The limit is one of the owner's, and no frame beyond it is waited for.
    #[test]
    fn no_frame_is_longer_than_the_limit(limit in 4..200_usize, len in 0..300_u16) {
        let mut cutter = Cutter::with_limit(Framing::Rfc4571, limit);
        let mut input = &packet_prefix(len)[..];
        let told = cutter.cut(&mut input);
        let whole = usize::from(len) + 2;
        let refused = Err(StreamError::TooLong { len: whole, limit });
        prop_assert_eq!(told, if whole > limit { refused } else { Ok(None) });
    }
}

// From a URI to servers, and from one server to the next.
proptest! {
    #[test]
    fn a_uri_says_what_it_was_made_of(
        scheme in prop_oneof![Just("stun"), Just("stuns"), Just("turn"), Just("turns")],
        host in "[a-z][a-z0-9]{0,19}(\\.[a-z]{1,10}){0,3}",
        port in prop::option::of(1..=u16::MAX),
        transport in prop::option::of(prop_oneof![Just(Transport::Udp), Just(Transport::Tcp)]),
        upper: bool,
    ) {
        let transport = transport.filter(|_| scheme.starts_with("turn"));
        let mut text = if upper { scheme.to_uppercase() } else { scheme.to_owned() };
        text += &format!(":{host}");
        text += &port.map_or(String::new(), |port| format!(":{port}"));
        text += match transport {
            Some(Transport::Udp) => "?transport=udp",
            Some(_) => "?transport=tcp",
            None => "",
        };
        let uri: Uri = text.parse().unwrap();
        let secure = scheme.ends_with('s');
        prop_assert_eq!((uri.host(), uri.named_port(), uri.named_transport()), (&*host, port, transport));
        prop_assert_eq!((uri.scheme().is_turn(), uri.scheme().is_secure()), (scheme.starts_with("turn"), secure));
        prop_assert_eq!(uri.port(), port.unwrap_or(if secure { 5349 } else { 3478 }));
        prop_assert_eq!(uri.to_string(), text.replacen(&scheme.to_uppercase(), scheme, 1));
    }

    /// One address has many forms in text, and one in a URI.
    #[test]
    fn an_ipv6_address_in_a_uri_has_one_form(ip: std::net::Ipv6Addr, port in prop::option::of(1..=u16::MAX)) {
        let long: Vec<String> = ip.segments().iter().map(|segment| format!("{segment:04X}")).collect();
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let uri: Uri = format!("turn:[{}]{port}", long.join(":")).parse().unwrap();
        prop_assert_eq!(uri.ip(), Some(IpAddr::V6(ip)));
        prop_assert_eq!(uri.to_string(), format!("turn:[{ip}]{port}"));
    }

    /// RFC 2782: whatever chance and weight say, a lower number comes first; and each record is tried once.
    #[test]
    fn srv_records_are_tried_by_their_priority(
        priorities in vec((0..4_u16, any::<u16>()), 1..20),
        seed: [u8; 32],
    ) {
        let tried = try_srv(&priorities, seed);
        let order: Vec<u16> = tried.iter().map(|at| priorities[*at].0).collect();
        prop_assert!(order.is_sorted(), "{:?}", order);
        let mut every = tried.clone();
        every.sort_unstable();
        prop_assert_eq!(every, (0..priorities.len()).collect::<Vec<_>>());
        prop_assert_eq!(try_srv(&priorities, seed), tried, "the same seed, the same order");
    }

    /// An IPv4 address inside of an IPv6 one is the same server, so that a loop cannot hide behind it.
    #[test]
    fn a_mapped_address_is_the_address(ip: [u8; 4], port in 1..=u16::MAX) {
        let from: SocketAddr = "192.0.2.1:3478".parse().unwrap();
        let plain = SocketAddr::from((ip, port));
        let mapped = SocketAddr::from((std::net::Ipv4Addr::from(ip).to_ipv6_mapped(), port));
        let now = Instant::ORIGIN;
        let verdict = |to| Redirects::new().follow(now, (Transport::Udp, from), (Transport::Udp, to));
        prop_assert_eq!(verdict(plain), verdict(mapped));
        let mut asked = Redirects::new();
        asked.note(now, plain);
        prop_assert!(asked.follow(now, (Transport::Udp, from), (Transport::Udp, mapped)).is_err());
    }
}

fn id() -> impl Strategy<Value = TransactionId> {
    any::<[u8; 12]>().prop_map(TransactionId::from)
}

fn address() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![Just(Class::Request), Just(Class::Indication), Just(Class::Success), Just(Class::Error)]
}

/// Known types, and every other now and then.
fn attribute_type() -> impl Strategy<Value = u16> {
    prop_oneof![
        0..0x30_u16,
        0x8000..0x8030_u16,
        Just(MESSAGE_INTEGRITY),
        Just(MESSAGE_INTEGRITY_SHA256),
        Just(FINGERPRINT),
        any::<u16>()
    ]
}

/// A message with FINGERPRINT, sealed in one of the three ways.
fn signed() -> impl Strategy<Value = Vec<u8>> {
    (id(), "\\PC{0,40}", any::<u32>(), 0..3).prop_map(|(id, user, priority, seals)| {
        let mut buf = [0; 512];
        let builder = Builder::new(&mut buf, Class::Request, Method::BINDING, id)
            .attribute(&Username(&user))
            .attribute(&Priority(priority));
        let finished = match seals {
            0 => builder.integrity(&key()).fingerprint(),
            1 => builder.integrity_sha256(&key()).fingerprint(),
            _ => builder.integrity(&key()).integrity_sha256(&key()).fingerprint(),
        };
        finished.finish().unwrap().to_vec()
    })
}

/// Attributes of any type but those that seal.
fn raw_attributes() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let kind = attribute_type().prop_filter("seals", |kind| {
        ![MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, FINGERPRINT].contains(kind)
    });
    vec((kind, vec(any::<u8>(), 0..60)), 0..12)
}

fn raw_builder<'b>(
    buf: &'b mut [u8],
    class: Class,
    id: TransactionId,
    attributes: &[(u16, Vec<u8>)],
) -> Builder<'b> {
    let builder = Builder::new(buf, class, Method::BINDING, id);
    attributes.iter().fold(builder, |builder, (kind, value)| builder.attribute_as(*kind, &Padding(value)))
}

fn raw_message(class: Class, id: TransactionId, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    raw_builder(&mut [0xEE; 4096], class, id, attributes).finish().unwrap().to_vec()
}

/// Where the padding of a message stands, found without the decoder.
fn padding(bytes: &[u8]) -> Vec<usize> {
    let (mut places, mut at) = (Vec::new(), HEADER_LEN);
    while at < bytes.len() {
        let len = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        places.extend(at + 4 + len..at + 4 + len.next_multiple_of(4));
        at += 4 + len.next_multiple_of(4);
    }
    places
}

/// Which of these SRV records, priority and weight of each, leads to the first server, the second and so on.
fn try_srv(records: &[(u16, u16)], seed: [u8; 32]) -> Vec<usize> {
    let names: Vec<String> = (0..records.len()).map(|at| format!("h{at}.example")).collect();
    let uri = "stun:a.example".parse().unwrap();
    let mut resolution = Resolution::new(&uri, &[Transport::Udp], None, seed).unwrap();
    let records: Vec<Srv<'_>> = records
        .iter()
        .zip(&names)
        .map(|(&(priority, weight), target)| Srv { priority, weight, port: 3478, target })
        .collect();
    assert!(matches!(resolution.step(), Step::Ask(Query::Srv { .. })));
    resolution.handle_records(Records::Srv(&records));
    let mut tried = Vec::new();
    loop {
        match resolution.step() {
            Step::Ask(Query::Addresses { name }) => {
                let at = names.iter().position(|known| *known == name).unwrap();
                let ip = IpAddr::from([192, 0, 2, u8::try_from(at).unwrap()]);
                resolution.handle_records(Records::Addresses(&[ip]));
            }
            Step::Try(server) => match server.address.ip() {
                IpAddr::V4(ip) => tried.push(usize::from(ip.octets()[3])),
                IpAddr::V6(ip) => panic!("{ip}"),
            },
            Step::Exhausted => return tried,
            Step::Ask(other) => panic!("{other:?}"),
        }
    }
}

fn dns_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]\\.example\\.?", Just(String::new()), Just(".".to_owned()), "\\PC{0,300}"]
}

/// Answers a question with records of one kind, whether they are what was asked for or not.
fn answer_by(resolution: &mut Resolution, kind: u8, records: &[(u8, String, u16)]) {
    let addresses: Vec<IpAddr> = records.iter().map(|(byte, _, _)| IpAddr::from([10, 0, 0, *byte])).collect();
    let srv = |(byte, name, short): &'_ (u8, String, u16)| (u16::from(*byte), *short, name.clone());
    let fields: Vec<(u16, u16, String)> = records.iter().map(srv).collect();
    let srv = fields.iter().map(|(byte, short, name)| Srv {
        priority: byte % 3,
        weight: *short,
        port: *byte,
        target: name,
    });
    let naptr = fields.iter().map(|(byte, short, name)| Naptr {
        order: byte % 3,
        preference: *short,
        flags: ["", "s", "A", "U"][usize::from(byte % 4)],
        services: ["RELAY:turn.udp:turn.tls", "relay:turn.dtls", "SIP+D2U", ""][usize::from(short % 4)],
        replacement: name,
    });
    match kind {
        0 => resolution.handle_records(Records::Addresses(&addresses)),
        1 => resolution.handle_records(Records::Srv(&srv.collect::<Vec<_>>())),
        2 => resolution.handle_records(Records::Naptr(&naptr.collect::<Vec<_>>())),
        _ => resolution.handle_records(Records::None),
    }
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![Just(Framing::Stun), Just(Framing::Turn), Just(Framing::Rfc4571)]
}

/// Messages and ChannelData in a row, and sometimes noise behind them.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let data = (0x4000..=0x4FFF_u16, vec(any::<u8>(), 0..40)).prop_map(|(number, data)| {
        let header =
            ChannelData::header(ChannelNumber::new(number).unwrap(), u16::try_from(data.len()).unwrap());
        let mut bytes = [&header[..], &data].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    });
    let frames = vec(prop_oneof![signed(), data], 0..6).prop_map(|frames| frames.concat());
    (frames, vec(any::<u8>(), 0..12)).prop_map(|(frames, noise)| [frames, noise].concat())
}

/// The frames of a stream that comes in these segments, and how it broke.
fn cut_stream(framing: Framing, segments: &[&[u8]]) -> (Vec<Vec<u8>>, Option<StreamError>) {
    let (mut cutter, mut frames) = (Cutter::new(framing), Vec::new());
    for segment in segments {
        let mut rest = *segment;
        loop {
            match cutter.cut(&mut rest) {
                Ok(Some(Frame::Stun(bytes) | Frame::Packet(bytes))) => frames.push(bytes.to_vec()),
                Ok(Some(Frame::ChannelData(data))) => frames.push(data.data.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

const FINGERPRINT_LEN: usize = 8;

fn key() -> Key {
    Key::short_term("VOkJxbRl1RmTxUk/WvJxBt")
}

fn message(id: TransactionId, fill: impl FnOnce(Builder<'_>) -> Builder<'_>) -> Vec<u8> {
    let mut buf = [0xEE; 1024];
    let builder = fill(Builder::new(&mut buf, Class::Request, Method::BINDING, id));
    builder.finish().unwrap().to_vec()
}

/// The address that XOR-MAPPED-ADDRESS for `address` would be, were it not XORed.
fn xored(address: SocketAddr, id: TransactionId) -> SocketAddr {
    let mut value = vec![0; XorMappedAddress(address).encoded_len()];
    XorMappedAddress(address).encode(&mut value, id).unwrap();
    MappedAddress::decode(&value, id).unwrap().0
}

/// Reads the bytes by all means there are; the verdicts do not matter.
fn read_everything(bytes: &[u8]) {
    let _ = ChannelData::decode(bytes);
    let Ok(message) = Message::decode(bytes) else { return };
    let _ = (message.fingerprint(), message.has_integrity(), message.unknown_required().count());
    let md5 = Key::long_term_md5("user", "realm", &Password::new("password"));
    let _ = (message.verify(&key()), message.verify(&md5), format!("{message:?}"));
    for raw in message.attributes() {
        read_by_every_type(raw.value, message.id());
    }
}

fn read_by_every_type(value: &[u8], id: TransactionId) {
    macro_rules! read {
        ($($type:ty)*) => {
            $(let _ = format!("{:?}", <$type>::decode(value, id));)*
        };
    }
    read!(MappedAddress XorMappedAddress XorPeerAddress XorRelayedAddress AlternateServer ResponseOrigin);
    read!(OtherAddress Username<'_> Realm<'_> Nonce<'_> Software<'_> AlternateDomain<'_> UserHash);
    read!(ErrorCode<'_> AddressErrorCode<'_> Priority UseCandidate IceControlled IceControlling);
    read!(PasswordAlgorithm RequestedTransport RequestedAddressFamily AdditionalAddressFamily);
    read!(DontFragment Lifetime ChannelNumberAttribute Data<'_> EvenPort ReservationToken IcmpAttribute);
    read!(ChangeRequest ResponsePort Padding<'_> ConnectionId MobilityTicket<'_> ThirdPartyAuthorization<'_>);
    read!(TransmitCounter Nomination GoogNetworkInfo GoogLastIceCheckReceived GoogMessageIntegrity32);
    read!(MetaDtlsInStun<'_>);
    let _ = AccessToken::decode(value, id).map(|token| token.parts().is_some());
    let _ = GoogMiscInfo::decode(value, id).map(|list| list.iter().count());
    let _ = MetaDtlsInStunAck::decode(value, id).map(|list| list.iter().count());
    let _ = UnknownAttributes::decode(value, id).map(|types| types.iter().count());
    let _ = PasswordAlgorithms::decode(value, id).map(|algorithms| algorithms.iter().count());
}

//! Messages that pass the gate: they bear the right names and the right seal, and what else stands in them is the
//! fuzzer's. Handlers have to live with whatever somebody says who may speak.

use floe_stun::attribute::*;
use floe_stun::{
    Builder, Class, Dropped, Input, Key, MAX_TRANSMIT, Machine, Message, Method, Received, TransactionId,
};

use super::{
    Life, REALM, RELAYED, SERVER_LIFETIME, SOCKET, Tape, USER, a_client, a_server, address, an_agent,
    long_term_keys,
};

/// An agent, a client or a server, as the first byte says, hears nothing but messages that it has to believe.
pub fn stun_signed(data: &[u8]) {
    let Some((receiver, data)) = data.split_first() else { return };
    match receiver % 3 {
        0 => to_agent(data),
        1 => to_server(data),
        _ => to_client(data),
    }
}

fn to_agent(data: &[u8]) {
    let mut life = an_agent(data);
    let line = "candidate:1 1 udp 2130706431 192.0.2.2 3478 typ host".parse().unwrap();
    life.machine.set_remote_credentials(life.now, super::remote_credentials(), false).unwrap();
    let _ = life.machine.add_remote_candidate(life.now, floe_ice_agent::StreamId(0), &line);
    life.machine.gather(life.now);
    life.drain();
    let name = life.username.clone();
    let [ours, theirs] = life.keys.clone();
    while !life.tape.is_empty() {
        let known = life
            .hear_sealed(&[2, 2, 3], &[Method::BINDING], [&ours, &theirs], |b| b.attribute(&Username(&name)));
        assert!(known, "an agent believes its peer");
    }
    life.follow_deadlines();
}

fn to_server(data: &[u8]) {
    let mut life = Life::new(a_server(), data, long_term_keys(), USER);
    let mut buf = [0; MAX_TRANSMIT];
    let first = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, [1; 12].into())
        .attribute(&RequestedTransport::UDP)
        .finish()
        .unwrap();
    life.hear(1, first);
    let [key, _] = life.keys.clone();
    let nonce = life.nonce.clone();
    let mut buf = [0; MAX_TRANSMIT];
    let second = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, [2; 12].into())
        .attribute(&RequestedTransport::UDP)
        .attribute(&Username(USER))
        .attribute(&Realm(REALM))
        .attribute(&Nonce(&nonce))
        .integrity(&key)
        .finish()
        .unwrap();
    life.hear(1, second);
    while let Some(request) = life.needs.pop() {
        life.open(request, RELAYED);
    }
    let methods = [
        Method::ALLOCATE,
        Method::REFRESH,
        Method::CREATE_PERMISSION,
        Method::CHANNEL_BIND,
        Method::BINDING,
        Method::CONNECT,
        Method::CONNECTION_BIND,
    ];
    while !life.tape.is_empty() {
        let nonce = life.nonce.clone();
        let _ = life.hear_sealed(&[1, 1, 1, 3], &methods, [&key, &key], |b| {
            b.attribute(&Username(USER)).attribute(&Realm(REALM)).attribute(&Nonce(&nonce))
        });
    }
    life.follow_deadlines();
}

fn to_client(data: &[u8]) {
    let mut life = Life::new(a_client(), data, long_term_keys(), USER);
    life.drain();
    let [key, _] = life.keys.clone();
    life.answer(Class::Error, None, |b| {
        b.attribute(&ErrorCode::UNAUTHENTICATED).attribute(&Realm(REALM)).attribute(&Nonce("nonce"))
    });
    // Without an allocation the fuzzer has to find what makes one.
    if !life.tape.byte().is_multiple_of(4) {
        life.answer(Class::Success, Some(&key), |b| {
            b.attribute(&XorRelayedAddress(address(0)))
                .attribute(&XorMappedAddress(address(2)))
                .attribute(&Lifetime(SERVER_LIFETIME))
        });
        life.machine.permit(life.now, address(3).ip());
        life.machine.bind_channel(life.now, address(4));
        life.drain();
    }
    while !life.tape.is_empty() {
        let _ = life.hear_sealed(&[0], &[Method::DATA], [&key, &key], |b| b);
    }
    life.follow_deadlines();
}

impl<M: Machine> Life<'_, M> {
    /// A sealed message from one of these addresses: a request of one of these methods, under the first key and with the
    /// names that `named` gives it, or an answer to what was asked last, under the second. Whether the receiver knew whom
    /// to believe, if it was a request.
    fn hear_sealed(
        &mut self,
        from: &[u8],
        methods: &[Method],
        [theirs, answers]: [&Key; 2],
        named: impl for<'b> Fn(Builder<'b>) -> Builder<'b>,
    ) -> bool {
        let mut buf = [0; MAX_TRANSMIT];
        let choice = self.tape.byte();
        let (class, key) = match choice % 8 {
            0 => {
                self.wait();
                self.drain();
                return true;
            }
            1..=4 => (Class::Request, theirs),
            5 => (Class::Indication, theirs),
            6 => (Class::Success, answers),
            _ => (Class::Error, answers),
        };
        let (id, method) = match (class, self.asked) {
            (Class::Success | Class::Error, Some(asked)) => asked,
            _ => (TransactionId::from([self.tape.byte(); 12]), self.tape.of(methods)),
        };
        let builder = Builder::new(&mut buf, class, method, id);
        let builder = if class == Class::Request { named(builder) } else { builder };
        let builder = attributes(&mut self.tape, builder);
        let written = match choice & 0x80 {
            0 => builder.integrity(key).fingerprint().finish(),
            _ => builder.integrity_sha256(key).fingerprint().finish(),
        };
        let Ok(data) = written else { return true };
        assert!(Message::decode(data).is_ok_and(|message| message.verify(key).is_ok()), "it is sealed");
        let from = address(self.tape.of(from));
        let verdict = self.machine.handle_input(self.now, Input::Datagram { socket: SOCKET, from, data });
        let refused = [Dropped::BadIntegrity, Dropped::BadFingerprint, Dropped::UnknownUsername];
        let refused = matches!(verdict, Received::Dropped(why) if refused.contains(&why));
        self.drain();
        // What was asked last may have been asked of somebody else.
        !refused || class != Class::Request
    }

    /// The server's answer to what was asked last.
    fn answer(
        &mut self,
        class: Class,
        key: Option<&Key>,
        fill: impl for<'b> FnOnce(Builder<'b>) -> Builder<'b>,
    ) {
        let Some((id, method)) = self.asked else { return };
        let mut buf = [0; MAX_TRANSMIT];
        let builder = fill(Builder::new(&mut buf, class, method, id));
        let written = match key {
            Some(key) => builder.integrity(key).finish(),
            None => builder.finish(),
        };
        let len = written.unwrap().len();
        self.hear(0, buf.get(..len).unwrap_or_default());
    }
}

/// Attributes of any type and any value, mostly of types that somebody reads.
pub(crate) fn attributes<'b>(tape: &mut Tape<'_>, builder: Builder<'b>) -> Builder<'b> {
    let mut builder = builder;
    for _ in 0..tape.byte() % 10 {
        let kind = match tape.byte() {
            at @ 0..200 => READ[usize::from(at) % READ.len()],
            _ => tape.short(),
        };
        if ![MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, FINGERPRINT].contains(&kind) {
            builder = builder.attribute_as(kind, &Padding(tape.slice()));
        }
    }
    builder
}

/// What agents, clients and servers look for.
const READ: [u16; 30] = [
    Priority::TYPE,
    UseCandidate::TYPE,
    IceControlled::TYPE,
    IceControlling::TYPE,
    Nomination::TYPE,
    ErrorCode::TYPE,
    UnknownAttributes::TYPE,
    XorMappedAddress::TYPE,
    MappedAddress::TYPE,
    XorPeerAddress::TYPE,
    XorRelayedAddress::TYPE,
    Lifetime::TYPE,
    ChannelNumberAttribute::TYPE,
    Data::TYPE,
    RequestedTransport::TYPE,
    RequestedAddressFamily::TYPE,
    AdditionalAddressFamily::TYPE,
    AddressErrorCode::TYPE,
    EvenPort::TYPE,
    DontFragment::TYPE,
    ReservationToken::TYPE,
    IcmpAttribute::TYPE,
    AlternateServer::TYPE,
    Nonce::TYPE,
    Realm::TYPE,
    PasswordAlgorithms::TYPE,
    Username::TYPE,
    MobilityTicket::TYPE,
    ConnectionId::TYPE,
    TransmitCounter::TYPE,
];

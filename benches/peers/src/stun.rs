//! The rows of STUN: what a codec has to do, the packets it is given, and the judge.

mod eye;
mod ezk;
mod floe;
mod floor;
mod is;
mod packets;
mod stun_codec;
#[cfg(feature = "c")]
mod stun_rs;
mod stun_types;
#[cfg(feature = "c")]
mod turn_server;
#[cfg(feature = "c")]
mod webrtc;

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::contestant::repeat;
use crate::{Absent, Contestant, Field, Row};
use eye::{Away, Eye, Judge, Seen};
use packets::Packets;

/// What the check and its answer say.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) id: [u8; 12],
    pub(crate) username: &'static str,
    pub(crate) password: &'static str,
    pub(crate) priority: u32,
    pub(crate) controlling: u64,
    pub(crate) mapped: SocketAddr,
}

static FACTS: Facts = Facts {
    id: [7; 12],
    username: "evtj:h6vY",
    password: "asd88fgpdd777uzjYhagZg",
    priority: 1_862_270_975,
    controlling: 0x0123_4567_89AB_CDEF,
    mapped: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 7), 40_000)),
};

/// A codec on the track. What it keeps between packets, keys above all, it makes in `new`.
///
/// The reading methods say whether the packet is what it claims to be, and show the eye what stands in it. Whoever
/// cannot do a row names it in `ABSENT`; the judge would not let it pass.
pub(crate) trait Codec: 'static {
    const NAME: &'static str;
    /// Rows it cannot run, and why.
    const ABSENT: &'static [(Row, &'static str)] = &[];
    /// What is to be known of how it was driven.
    const NOTES: &'static [(Row, &'static str)] = &[];

    fn new(facts: &Facts) -> Self;
    fn read_check(&mut self, _packet: &[u8], _eye: &mut impl Eye) -> bool {
        false
    }
    fn verify_check(&mut self, _packet: &[u8], _eye: &mut impl Eye) -> bool {
        false
    }
    fn read_success(&mut self, _packet: &[u8], _eye: &mut impl Eye) -> bool {
        false
    }
    fn read_data(&mut self, _packet: &[u8], _eye: &mut impl Eye) -> bool {
        false
    }
    fn write_check(&mut self, _facts: &Facts, _eye: &mut impl Eye) {}
    fn write_success(&mut self, _facts: &Facts, _eye: &mut impl Eye) {}
}

pub(crate) fn enter(field: &mut Field, rows: &[Row]) {
    let packets: &'static Packets = Box::leak(Box::new(Packets::new(&FACTS)));
    let rows = rows.iter().copied().filter(|row| ROWS.contains(row)).collect();
    let mut entry = Entry { field, packets, rows };
    entry.codec::<floor::Floor>();
    entry.codec::<floe::Floe>();
    entry.only::<floe::Prepared>(Row::WriteCheck);
    entry.codec::<is::Is>();
    entry.codec::<stun_types::StunTypes>();
    entry.codec::<ezk::Ezk>();
    entry.codec::<stun_codec::StunCodec>();
    #[cfg(feature = "c")]
    {
        entry.codec::<turn_server::TurnServer>();
        entry.codec::<webrtc::RtcStun>();
        entry.codec::<webrtc::Stun>();
        entry.codec::<stun_rs::StunRs>();
    }
}

const ROWS: [Row; 13] = [
    Row::ReadCheck,
    Row::VerifyCheck,
    Row::ReadSuccessV4,
    Row::ReadSuccessV6,
    Row::ReadData,
    Row::Truncated,
    Row::PastEnd,
    Row::Noise,
    Row::UnknownRequired,
    Row::ManyUnknown,
    Row::ManyUsernames,
    Row::WriteCheck,
    Row::WriteSuccess,
];

struct Entry<'f> {
    field: &'f mut Field,
    packets: &'static Packets,
    rows: Vec<Row>,
}

impl Entry<'_> {
    /// In all rows.
    fn codec<C: Codec>(&mut self) {
        for row in self.rows.clone() {
            match C::ABSENT.iter().find(|(absent, _)| *absent == row) {
                Some(&(row, why)) => self.field.absent.push(Absent { row, name: C::NAME, why }),
                None => self.row::<C>(row),
            }
        }
    }

    fn only<C: Codec>(&mut self, row: Row) {
        if self.rows.contains(&row) {
            self.row::<C>(row);
        }
    }

    fn row<C: Codec>(&mut self, row: Row) {
        let notes = self.judge::<C>(row);
        let mut contestant =
            Contestant::new(row, C::NAME, self.packets.of(row).len(), self.work(row, C::new(&FACTS)));
        C::NOTES.iter().filter(|(noted, _)| *noted == row).for_each(|(_, note)| contestant.note(*note));
        notes.into_iter().for_each(|note| contestant.note(note));
        self.field.contestants.push(contestant);
    }

    /// The work itself. `black_box` around each packet and each result keeps the compiler from doing it once for all.
    fn work<C: Codec>(&self, row: Row, mut codec: C) -> Box<dyn FnMut(u64)> {
        let packet: &'static [u8] = self.packets.of(row);
        match row {
            Row::VerifyCheck => repeat(move || {
                black_box(codec.verify_check(black_box(packet), &mut Away));
            }),
            Row::ReadSuccessV4 | Row::ReadSuccessV6 => repeat(move || {
                black_box(codec.read_success(black_box(packet), &mut Away));
            }),
            Row::ReadData => repeat(move || {
                black_box(codec.read_data(black_box(packet), &mut Away));
            }),
            Row::WriteCheck => repeat(move || codec.write_check(black_box(&FACTS), &mut Away)),
            Row::WriteSuccess => repeat(move || codec.write_success(black_box(&FACTS), &mut Away)),
            _ => repeat(move || {
                black_box(codec.read_check(black_box(packet), &mut Away));
            }),
        }
    }

    /// Panics if the codec does not do the row's work.
    fn judge<C: Codec>(&self, row: Row) -> Vec<String> {
        let (packet, mut codec, mut judge) = (self.packets.of(row), C::new(&FACTS), Judge::default());
        match row {
            Row::ReadCheck | Row::UnknownRequired => {
                assert!(codec.read_check(packet, &mut judge), "{} refuses {row}", C::NAME);
                judge.must_have_seen(&Seen::check(&FACTS), C::NAME, row);
                self.checks_on_reading(&mut codec)
            }
            Row::VerifyCheck => {
                assert!(codec.verify_check(packet, &mut judge), "{} refuses {row}", C::NAME);
                judge.must_have_seen(&Seen::check(&FACTS), C::NAME, row);
                let forged = codec.verify_check(&self.packets.forged, &mut Away);
                assert!(!forged, "{} takes a forged check", C::NAME);
                let checked = !codec.verify_check(&self.packets.wrong_fingerprint, &mut Away);
                vec![format!("checks FINGERPRINT: {}", yes(checked))]
            }
            Row::ReadSuccessV4 | Row::ReadSuccessV6 => {
                assert!(codec.read_success(packet, &mut judge), "{} refuses {row}", C::NAME);
                let mapped = if row == Row::ReadSuccessV4 { FACTS.mapped } else { packets::MAPPED_V6 };
                judge.must_have_seen(&Seen::Address(mapped), C::NAME, row);
                Vec::new()
            }
            Row::ReadData => {
                assert!(codec.read_data(packet, &mut judge), "{} refuses {row}", C::NAME);
                let seen = Seen::Data { peer: packets::PEER, payload: packets::PAYLOAD.to_vec() };
                judge.must_have_seen(&seen, C::NAME, row);
                Vec::new()
            }
            Row::WriteCheck => {
                codec.write_check(&FACTS, &mut judge);
                packets::must_be_the_check(&judge.written(), &FACTS, C::NAME);
                Vec::new()
            }
            Row::WriteSuccess => {
                codec.write_success(&FACTS, &mut judge);
                packets::must_be_the_success(&judge.written(), &FACTS, C::NAME);
                Vec::new()
            }
            _ => vec![if codec.read_check(packet, &mut judge) { "taken" } else { "refused" }.to_owned()],
        }
    }

    /// Some check FINGERPRINT whenever they decode, and pay for it here.
    fn checks_on_reading<C: Codec>(&self, codec: &mut C) -> Vec<String> {
        let checked = !codec.read_check(&self.packets.wrong_fingerprint, &mut Away);
        if checked { vec!["checks FINGERPRINT as it decodes".to_owned()] } else { Vec::new() }
    }
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

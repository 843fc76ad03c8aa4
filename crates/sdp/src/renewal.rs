//! What a further exchange of offer and answer does to the transports that stand (RFC 8839 section 4.4, RFC 8842
//! sections 3 and 5, RFC 8841 section 10, RFC 9143 section 7, RFC 9429 sections 5.10 and 5.11).
//!
//! ```text
//!                  ice                 dtls                              sctp
//!   begins with    new credentials     new roles, fingerprint, tls-id    a new port
//!   ends with      port 0, no ICE      port 0                            port 0, sctp-port 0
//!   and needs      both sides          new credentials                   nothing below it to begin
//! ```
//!
//! The sections of a BUNDLE group have ICE and DTLS in common, told in the section that speaks for the group. Which one
//! that is takes both descriptions to know, and may change from one exchange to the next.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::dtls::{Fingerprint, Setup};
use crate::offer_answer::{Groups, Rule, Violation, at_section, check_answer, check_following};
use crate::session::{Section, SessionDescription};

/// What one side said last, in an offer or in an answer, and what it says now.
#[derive(Debug, Clone, Copy)]
pub struct Step<'e, 'a> {
    /// The description that is in force.
    pub last: &'e SessionDescription<'a>,
    /// That of the exchange in question.
    pub next: &'e SessionDescription<'a>,
}

/// What becomes of the transport of one section. Where the section is refused and others of its group are not, the
/// transport goes on for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// The checks, and the pair they select. Where it is [`Fate::Ended`] in a section that is accepted, RFC 3264 alone
    /// counts there, and the next offer should restart ICE (RFC 8839 section 4.4.3.1).
    pub ice: Fate,
    /// The association of DTLS. It outlives a restart of ICE.
    pub dtls: Fate,
    /// The association of SCTP. It outlives one of DTLS.
    pub sctp: Fate,
}

/// Whether something goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on as it is.
    Kept,
    /// It begins, and what there was ends.
    Begun,
    /// It ends, or there is none.
    Ended,
}

/// Whether an exchange may follow the last one, and what it changes for each section.
///
/// The steps are those of the two sides, whoever offered last time. What each side may change is checked too, and what
/// may answer: [`check_next_offer`](crate::check_next_offer) of both, and [`check_answer`].
///
/// # Errors
///
/// The first rule that is broken.
pub fn check_exchange(offer: Step<'_, '_>, answer: Step<'_, '_>) -> Result<Vec<Renewal>, Violation> {
    let is_refused = |at| Pair::at(offer.last, answer.last, at).is_none();
    check_following(offer.last, offer.next, is_refused)?;
    check_following(answer.last, answer.next, is_refused)?;
    check_answer(offer.next, answer.next)?;
    let origins = check_groups(offer, answer)?;
    let exchange = Exchange { offer: Side::of(offer), answer: Side::of(answer), origins };
    exchange.renewals()
}

/// What both sides say of one section in one exchange.
#[derive(Clone, Copy)]
struct Pair<'e, 'a> {
    offered: Section<'e, 'a>,
    answered: Section<'e, 'a>,
}

struct Exchange<'e, 'a> {
    offer: Side<'e, 'a>,
    answer: Side<'e, 'a>,
    /// For the sections of groups that stood before, one that was in them then.
    origins: BTreeMap<usize, usize>,
}

struct Side<'e, 'a> {
    step: Step<'e, 'a>,
    /// Whether the fingerprints that stand for all sections are the same as before.
    has_same_fingerprints: bool,
}

/// What becomes of what a group has in common.
#[derive(Clone, Copy)]
struct Transport {
    ice: Fate,
    dtls: Fate,
    /// Whether packets of the old association of DTLS cannot be taken for those of a new one.
    can_renew: bool,
}

impl<'e, 'a> Exchange<'e, 'a> {
    fn renewals(&self) -> Result<Vec<Renewal>, Violation> {
        let mut transports = BTreeMap::new();
        let (offer, answer) = (self.offer.step.next, self.answer.step.next);
        let mut renewals = Vec::with_capacity(offer.media.len());
        for at in 0..offer.media.len() {
            let Some(next) = Pair::at(offer, answer, at) else {
                renewals.push(Renewal { ice: Fate::Ended, dtls: Fate::Ended, sctp: Fate::Ended });
                continue;
            };
            let told = next.transport();
            // Once for a group, whose fingerprints may be many and its sections too.
            let transport = match transports.get(&told.index()) {
                Some(&known) => known,
                None => self.transport(told)?,
            };
            transports.insert(told.index(), transport);
            renewals.push(self.renewal(next, transport)?);
        }
        Ok(renewals)
    }

    fn renewal(&self, next: Pair<'e, 'a>, transport: Transport) -> Result<Renewal, Violation> {
        let need = |holds: bool, rule| if holds { Ok(()) } else { Err(at_section(next.index(), rule)) };
        let is_mismatch = next.answered.media().is_mismatch;
        let dtls = if next.offered.media().is_dtls() { transport.dtls } else { Fate::Ended };
        need(dtls != Fate::Begun || transport.can_renew, Rule::DtlsWithoutRestart)?;
        let last = Pair::at(self.offer.step.last, self.answer.step.last, next.index());
        let sctp = match (last.and_then(Pair::sctp_ports), next.sctp_ports()) {
            (_, None) => Fate::Ended,
            (None, Some(_)) => Fate::Begun,
            (Some(old), Some(new)) => {
                need(old.0 == new.0 || old.1 != new.1, Rule::SctpPortKept)?;
                if old == new { Fate::Kept } else { Fate::Begun }
            }
        };
        Ok(Renewal { ice: if is_mismatch { Fate::Ended } else { transport.ice }, dtls, sctp })
    }

    /// What becomes of the transport that `next` tells of.
    fn transport(&self, next: Pair<'e, 'a>) -> Result<Transport, Violation> {
        let at = next.index();
        let need = |holds: bool, rule| if holds { Ok(()) } else { Err(at_section(at, rule)) };
        let begun = |is_there: bool| if is_there { Fate::Begun } else { Fate::Ended };
        let anew = Transport { ice: begun(next.has_ice()), dtls: begun(next.has_dtls()), can_renew: true };
        let origin = self.origins.get(&at).copied().unwrap_or(at);
        let last = Pair::at(self.offer.step.last, self.answer.step.last, origin);
        let Some(last) = last.map(Pair::transport) else { return Ok(anew) };
        let mut ice = anew.ice;
        if last.has_ice() && next.has_ice() {
            let is_new = |last: Section<'_, '_>, next: Section<'_, '_>| {
                // Another section may have another ufrag and the same password.
                let (ufrag, pwd) = (last.ufrag() != next.ufrag(), last.pwd() != next.pwd());
                need(ufrag || !pwd, Rule::HalfRestart).map(|()| ufrag)
            };
            let restarts = is_new(last.offered, next.offered)?;
            let is_answered = is_new(last.answered, next.answered)?;
            need(is_answered || !restarts, Rule::RestartUnanswered)?;
            need(restarts || !is_answered, Rule::UnofferedRestart)?;
            ice = if restarts { Fate::Begun } else { Fate::Kept };
        }
        if !(last.has_dtls() && next.has_dtls()) {
            return Ok(Transport { ice, ..anew });
        }
        let is_same = last.role() == next.role()
            && self.offer.has_same_identity(last.offered, next.offered)
            && self.answer.has_same_identity(last.answered, next.answered);
        // RFC 8842 section 5.1: over TCP old packets cannot come late, and over UDP they come from somewhere else.
        let is_elsewhere = match ice {
            Fate::Kept => false,
            Fate::Begun => true,
            Fate::Ended => {
                last.has_ice()
                    || is_moved(last.offered, next.offered)
                    || is_moved(last.answered, next.answered)
            }
        };
        let can_renew = is_elsewhere || next.answered.media().is_tcp();
        Ok(Transport { ice, dtls: if is_same { Fate::Kept } else { Fate::Begun }, can_renew })
    }
}

impl<'e, 'a> Side<'e, 'a> {
    fn of(step: Step<'e, 'a>) -> Self {
        let (last, next) = (&step.last.level.fingerprints, &step.next.level.fingerprints);
        Self { step, has_same_fingerprints: is_same_set(last, next) }
    }

    /// RFC 8842 section 3.1: the same fingerprints and the same tls-id. Where there is none, and no ICE, the address
    /// speaks for it (RFC 8842 section 4).
    fn has_same_identity(&self, last: Section<'_, '_>, next: Section<'_, '_>) -> bool {
        let is_own = |section: Section<'_, '_>| !section.media().level.fingerprints.is_empty();
        let has_same_fingerprints = match is_own(last) || is_own(next) {
            true => is_same_set(last.fingerprints(), next.fingerprints()),
            false => self.has_same_fingerprints,
        };
        let is_named = next.tls_id().is_some() || next.has_ice();
        has_same_fingerprints && last.tls_id() == next.tls_id() && (is_named || !is_moved(last, next))
    }
}

impl<'e, 'a> Pair<'e, 'a> {
    /// The sections at `at`, if both are there and wanted.
    fn at(offer: &'e SessionDescription<'a>, answer: &'e SessionDescription<'a>, at: usize) -> Option<Self> {
        let wanted = |description: &'e SessionDescription<'a>| {
            description.section(at).filter(|section| !section.media().is_rejected())
        };
        Some(Self { offered: wanted(offer)?, answered: wanted(answer)? })
    }

    fn index(self) -> usize {
        self.offered.index()
    }

    /// The section whose ICE and DTLS this one uses: the first of the answer's group. Who answered an exchange of the
    /// past is not known here, but what an answer refuses is in none of its groups.
    fn transport(self) -> Self {
        let is_bundled = |pair: &Self| pair.offered.bundle().is_some() && pair.answered.bundle().is_some();
        if !is_bundled(&self) {
            return self;
        }
        let (offer, answer) = (self.offered.session(), self.answered.session());
        let firsts = [self.answered.transport(), self.offered.transport()];
        let mut pairs = firsts.iter().filter_map(|first| Self::at(offer, answer, first.index()));
        pairs.find(is_bundled).unwrap_or(self)
    }

    fn has_ice(self) -> bool {
        let has_ice = |section: Section<'_, '_>| section.has_ice() && !section.media().is_mismatch;
        has_ice(self.offered) && has_ice(self.answered)
    }

    fn has_dtls(self) -> bool {
        !self.offered.fingerprints().is_empty() && !self.answered.fingerprints().is_empty()
    }

    /// The role of who answers. What is `actpass` leaves it to the other.
    fn role(self) -> Option<Setup> {
        match (self.offered.setup(), self.answered.setup()) {
            (_, Some(role @ (Setup::Active | Setup::Passive))) => Some(role),
            (Some(Setup::Active), _) => Some(Setup::Passive),
            (Some(Setup::Passive), _) => Some(Setup::Active),
            _ => None,
        }
    }

    /// The ports of both, if there is an association of SCTP.
    fn sctp_ports(self) -> Option<(u16, u16)> {
        let ports = (self.offered.media().sctp_port?, self.answered.media().sctp_port?);
        (ports.0 != 0 && ports.1 != 0).then_some(ports)
    }
}

/// Whether the default destination is another one.
fn is_moved(last: Section<'_, '_>, next: Section<'_, '_>) -> bool {
    (last.connection(), last.media().port) != (next.connection(), next.media().port)
}

/// Order means nothing. What is of another length is another set, without a look at a long list.
fn is_same_set(one: &[Fingerprint], other: &[Fingerprint]) -> bool {
    let set = |list: &[Fingerprint]| -> BTreeSet<_> {
        list.iter().map(|one| (one.hash(), one.digest().to_vec())).collect()
    };
    one.len() == other.len() && (one == other || set(one) == set(other))
}

/// RFC 9143 sections 7.3 and 7.5: groups that were agreed upon are left by an offer, not by an answer. For each section
/// of such a group, a section that was in it before.
fn check_groups(offer: Step<'_, '_>, answer: Step<'_, '_>) -> Result<BTreeMap<usize, usize>, Violation> {
    let (last_offered, last_answered) = (Groups::of(offer.last)?, Groups::of(answer.last)?);
    let (offered, answered) = (Groups::of(offer.next)?, Groups::of(answer.next)?);
    let agreed = |mid| Some(last_offered.place(mid)?).filter(|_| last_answered.place(mid).is_some());
    let sections = || offer.next.sections().zip(answer.next.sections());
    let (mut came_from, mut gone_to) = (BTreeMap::new(), BTreeMap::new());
    for (section, _) in sections() {
        let (at, mid) = (section.index(), section.media().mid.unwrap_or_default());
        let (Some(from), Some(to)) = (agreed(mid), offered.place(mid)) else { continue };
        let (known, _) = *came_from.entry(to).or_insert((from, at));
        if known != from || *gone_to.entry(from).or_insert(to) != to {
            return Err(at_section(at, Rule::MovedOver));
        }
    }
    let (mut origins, mut refused_tags, mut survivors) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for (section, answer) in sections() {
        let (at, mid) = (section.index(), section.media().mid.unwrap_or_default());
        let Some(group) = offered.place(mid) else { continue };
        let Some(&(_, origin)) = came_from.get(&group) else { continue };
        let is_accepted = answer.media().port != 0;
        if section.media().is_rejected() {
            return Err(at_section(at, Rule::BundledRefusal));
        }
        if is_accepted && answered.place(mid).is_none() {
            return Err(at_section(at, Rule::MovedOut));
        }
        if is_accepted {
            survivors.insert(group);
        } else if offered.is_tag(mid) {
            refused_tags.insert(group, at);
        }
        origins.insert(at, origin);
    }
    match refused_tags.into_iter().find(|(group, _)| survivors.contains(group)) {
        Some((_, tag)) => Err(at_section(tag, Rule::TagRefused)),
        None => Ok(origins),
    }
}

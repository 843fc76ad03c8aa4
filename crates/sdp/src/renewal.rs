//! What a further exchange of offer and answer does to the transports that stand (RFC 8839 section 4.4, RFC 8842
//! sections 3 and 5, RFC 8841 section 10, RFC 9143 section 7, RFC 9429 sections 5.10 and 5.11).
//!
//! ```text
//!                  ice                 dtls                              sctp
//!   begins with    new credentials     new roles, fingerprint, tls-id    a new port
//!   ends with      port 0, no ICE      port 0                            port 0, sctp-port 0
//!   and needs      both sides          new credentials                   nothing below it to begin
//! ```

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::dtls::{Fingerprint, Setup};
use crate::offer_answer::{Groups, Rule, Violation, at_section, check_answer, check_next_offer, is_secured};
use crate::session::{Section, SessionDescription};

/// What one side said last, in an offer or in an answer, and what it says now.
#[derive(Debug, Clone, Copy)]
pub struct Step<'e, 'a> {
    /// The description that is in force.
    pub last: &'e SessionDescription<'a>,
    /// That of the exchange in question.
    pub next: &'e SessionDescription<'a>,
}

/// What becomes of the transport of one section.
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
/// The steps are those of the two sides, whoever offered last time. What holds of each description alone and of the
/// pair is checked too: [`check_next_offer`] of both sides, and [`check_answer`].
///
/// # Errors
///
/// The first rule that is broken.
pub fn check_exchange(offer: Step<'_, '_>, answer: Step<'_, '_>) -> Result<Vec<Renewal>, Violation> {
    check_next_offer(offer.last, offer.next)?;
    check_next_offer(answer.last, answer.next)?;
    check_answer(offer.next, answer.next)?;
    check_groups(offer, answer)?;
    let (offer, answer) = (Side::of(offer), Side::of(answer));
    let sections = offer.step.next.sections().zip(answer.step.next.sections());
    sections.map(|(offered, answered)| renewal(offer.view(offered), answer.view(answered))).collect()
}

/// What is asked of a side as a whole.
struct Side<'e, 'a> {
    step: Step<'e, 'a>,
    /// Whether the fingerprints that stand for all sections are the same as before.
    has_same_fingerprints: bool,
}

/// One section of a side.
struct View<'e, 'a> {
    /// If it was there and wanted.
    last: Option<Section<'e, 'a>>,
    next: Section<'e, 'a>,
    /// That of its session.
    has_same_fingerprints: bool,
}

fn renewal(offered: View<'_, '_>, answered: View<'_, '_>) -> Result<Renewal, Violation> {
    let at = answered.next.index();
    let need = |holds: bool, rule| if holds { Ok(()) } else { Err(at_section(at, rule)) };
    if answered.next.media().port == 0 {
        return Ok(Renewal { ice: Fate::Ended, dtls: Fate::Ended, sctp: Fate::Ended });
    }
    let anew = first(offered.next, answered.next);
    let Some((last_offered, last_answered)) = offered.last.zip(answered.last) else { return Ok(anew) };
    let last = first(last_offered, last_answered);
    let mut next = anew;
    if (last.ice, anew.ice) == (Fate::Begun, Fate::Begun) {
        let (restarts, is_answered) = (offered.has_new_credentials(), answered.has_new_credentials());
        need(is_answered || !restarts, Rule::RestartUnanswered)?;
        need(restarts || !is_answered, Rule::UnofferedRestart)?;
        next.ice = if restarts { Fate::Begun } else { Fate::Kept };
    }
    if (last.dtls, anew.dtls) == (Fate::Begun, Fate::Begun) {
        let is_same_role = role(last_offered, last_answered) == role(offered.next, answered.next);
        let is_same = is_same_role && offered.has_same_identity() && answered.has_same_identity();
        next.dtls = if is_same { Fate::Kept } else { Fate::Begun };
    }
    // Over TCP the packets of the old association cannot be taken for those of the new one (RFC 8842 section 5.1).
    let can_tell = next.ice != Fate::Kept || answered.next.media().is_tcp();
    need(next.dtls != Fate::Begun || can_tell, Rule::DtlsWithoutRestart)?;
    let (old, new) = (sctp_ports(last_offered, last_answered), sctp_ports(offered.next, answered.next));
    if let Some((old, new)) = old.zip(new) {
        need(old.0 == new.0 || old.1 != new.1, Rule::SctpPortKept)?;
        next.sctp = if old == new { Fate::Kept } else { Fate::Begun };
    }
    Ok(next)
}

/// What there is if nothing was there before.
fn first(offered: Section<'_, '_>, answered: Section<'_, '_>) -> Renewal {
    let begun = |is_there: bool| if is_there { Fate::Begun } else { Fate::Ended };
    let is_mismatch = answered.media().is_mismatch || told(answered).media().is_mismatch;
    let has_ice = told(offered).has_ice() && told(answered).has_ice() && !is_mismatch;
    Renewal {
        ice: begun(has_ice),
        dtls: begun(is_secured(offered)),
        sctp: begun(sctp_ports(offered, answered).is_some()),
    }
}

impl<'e, 'a> Side<'e, 'a> {
    fn of(step: Step<'e, 'a>) -> Self {
        let (last, next) = (&step.last.level.fingerprints, &step.next.level.fingerprints);
        Self { step, has_same_fingerprints: is_same_set(last, next) }
    }

    fn view(&self, next: Section<'e, 'a>) -> View<'e, 'a> {
        let last = self.step.last.section(next.index()).filter(|section| !section.media().is_rejected());
        View { last, next, has_same_fingerprints: self.has_same_fingerprints }
    }
}

impl View<'_, '_> {
    /// Of both credentials, or of none.
    fn has_new_credentials(&self) -> bool {
        self.last.is_some_and(|last| told(last).ufrag() != told(self.next).ufrag())
    }

    /// RFC 8842 section 3.1: the same fingerprints and the same tls-id.
    fn has_same_identity(&self) -> bool {
        self.last.is_some_and(|last| {
            let (last, next) = (told(last), told(self.next));
            let is_own = |section: Section<'_, '_>| !section.media().level.fingerprints.is_empty();
            let has_same_fingerprints = match is_own(last) || is_own(next) {
                true => is_same_set(last.fingerprints(), next.fingerprints()),
                false => self.has_same_fingerprints,
            };
            last.tls_id() == next.tls_id() && has_same_fingerprints
        })
    }
}

/// Order means nothing. What is of another length is another set, without a look at a long list for every section.
fn is_same_set(one: &[Fingerprint], other: &[Fingerprint]) -> bool {
    let set = |list: &[Fingerprint]| -> BTreeSet<_> {
        list.iter().map(|one| (one.hash(), one.digest().to_vec())).collect()
    };
    one.len() == other.len() && (one == other || set(one) == set(other))
}

/// Where ICE and DTLS of a section are told: in itself, or in the one that speaks for its group.
fn told<'d, 'a>(section: Section<'d, 'a>) -> Section<'d, 'a> {
    if section.has_ice() { section } else { section.transport() }
}

/// Which role the side has whose section comes second. What is `actpass` leaves it to the other.
fn role(one: Section<'_, '_>, other: Section<'_, '_>) -> Option<Setup> {
    match (told(one).setup(), told(other).setup()) {
        (_, Some(role @ (Setup::Active | Setup::Passive))) => Some(role),
        (Some(Setup::Active), _) => Some(Setup::Passive),
        (Some(Setup::Passive), _) => Some(Setup::Active),
        _ => None,
    }
}

/// The ports of both, if there is an association of SCTP.
fn sctp_ports(offered: Section<'_, '_>, answered: Section<'_, '_>) -> Option<(u16, u16)> {
    let ports = (offered.media().sctp_port?, answered.media().sctp_port?);
    (ports.0 != 0 && ports.1 != 0).then_some(ports)
}

/// RFC 9143 section 7.3 and 7.5: groups that were agreed upon are left by an offer, not by an answer.
fn check_groups(offer: Step<'_, '_>, answer: Step<'_, '_>) -> Result<(), Violation> {
    let (last_offered, last_answered) = (Groups::of(offer.last)?, Groups::of(answer.last)?);
    let (offered, answered) = (Groups::of(offer.next)?, Groups::of(answer.next)?);
    let agreed = |mid| Some(last_offered.place(mid)?).filter(|_| last_answered.place(mid).is_some());
    let sections = || offer.next.sections().zip(answer.next.sections());
    let (mut came_from, mut gone_to, mut tags) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (section, _) in sections() {
        let Some(mid) = section.media().mid else { continue };
        let (Some(from), Some(to)) = (agreed(mid), offered.place(mid)) else { continue };
        if *came_from.entry(to).or_insert(from) != from || *gone_to.entry(from).or_insert(to) != to {
            return Err(at_section(section.index(), Rule::MovedOver));
        }
    }
    for (section, answer) in sections() {
        let Some((mid, group)) = section.media().mid.and_then(|mid| Some((mid, offered.place(mid)?))) else {
            continue;
        };
        let is_agreed = came_from.contains_key(&group);
        if is_agreed && answer.media().port != 0 && answered.place(mid).is_none() {
            return Err(at_section(section.index(), Rule::MovedOut));
        }
        if is_agreed && offered.is_tag(mid) && answer.media().port == 0 {
            tags.insert(group, section.index());
        }
    }
    let is_survived = |section: Section<'_, '_>| {
        let group = section.media().mid.and_then(|mid| offered.place(mid));
        group.and_then(|group| tags.get(&group).copied())
    };
    let mut accepted = sections().filter(|(_, answer)| answer.media().port != 0);
    match accepted.find_map(|(section, _)| is_survived(section)) {
        Some(tag) => Err(at_section(tag, Rule::TagRefused)),
        None => Ok(()),
    }
}

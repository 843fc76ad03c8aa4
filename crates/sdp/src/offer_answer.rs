//! What an offer may hold, what an answer to it may, and what the next offer may change (RFC 3264 and what RFC 5888,
//! 8839, 8841, 8842 and 9143 add for ICE, DTLS, SCTP and BUNDLE).
//!
//! The tables of what answers what are functions of their own, so that who writes an answer and who checks one read
//! the same table. A check names the section and the rule, and the first fault is the one reported.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use crate::attribute::Direction;
use crate::dtls::Setup;
use crate::ice::IceOptions;
use crate::session::{Section, SessionDescription};

/// A description breaks a rule of offer and answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}{rule}", InSection(*.section))]
pub struct Violation {
    /// The section, counted from 0, unless it is the whole that is wrong.
    pub section: Option<usize>,
    /// Which rule.
    pub rule: Rule,
}

/// The rules that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// RFC 3264 section 6: an answer has as many sections as its offer.
    #[error("the answer has not as many sections as the offer")]
    SectionCount,
    /// RFC 3264 section 8: sections are never taken away.
    #[error("there are fewer sections than before")]
    SectionsRemoved,
    /// RFC 3264 section 6: the times are those of the offer.
    #[error("the times are not those of the offer")]
    Times,
    /// RFC 3264 section 6.1: the medium is that of the offer.
    #[error("the medium is not that of the offer")]
    Kind,
    /// RFC 8841 section 10.3, RFC 9429 section 5.3.1: the protocol is that of the offer.
    #[error("the protocol is not that of the offer")]
    Proto,
    /// RFC 9429 section 5.3.1: the format of data channels is that of the offer.
    #[error("the format is not that of the offer")]
    Format,
    /// RFC 3264 section 8.2: what was offered with port 0 is answered with port 0.
    #[error("a section that was not wanted is accepted")]
    Revived,
    /// RFC 5888 section 9.1: the name is that of the offer, and there is none if that has none.
    #[error("the mid is not that of the offer")]
    Mid,
    /// RFC 8840 section 4.1.1, RFC 9143 section 7: a section that is bundled, or has candidates trickled, has a name.
    #[error("there is no mid")]
    NoMid,
    /// RFC 3264 section 6.1: the direction does not answer the offered one.
    #[error("the direction does not answer the offered one")]
    Direction,
    /// RFC 8842 section 5.3: an accepted section says who begins the handshake.
    #[error("there is no setup")]
    NoSetup,
    /// RFC 4145 section 4.1, RFC 8842 section 5: the role does not answer the offered one, or is none of DTLS.
    #[error("the setup is not one that may stand here")]
    Setup,
    /// RFC 8122 section 5: an accepted section has a fingerprint.
    #[error("there is no fingerprint")]
    NoFingerprint,
    /// RFC 8842 section 5.3: no tls-id if the offer has none.
    #[error("there is a tls-id, which the offer has not")]
    TlsId,
    /// RFC 8839 section 4.2.5: ICE has both ufrag and password.
    #[error("there are not both ice-ufrag and ice-pwd")]
    NoCredentials,
    /// RFC 8839 section 4.3.2: an offer without ICE is answered without ICE.
    #[error("there is ICE, which the offer has not")]
    UnofferedIce,
    /// RFC 8839 section 5.3: ice-mismatch is for answers, and stands without candidates (section 4.2.5).
    #[error("ice-mismatch may not stand here")]
    Mismatch,
    /// RFC 8839 section 5.2: remote-candidates is for offers.
    #[error("remote-candidates may not stand in an answer")]
    RemoteCandidates,
    /// RFC 8839 section 4.2.1.6: a section with port 0 has no candidates.
    #[error("a section with port 0 has candidates")]
    CandidatesAtPortZero,
    /// RFC 8839 section 5.4: equal ufrags mean equal passwords.
    #[error("two sections have one ufrag and different passwords")]
    Credentials,
    /// RFC 8841 section 5.1: a section of SCTP has an sctp-port.
    #[error("there is no sctp-port")]
    NoSctpPort,
    /// RFC 8841 section 10.3: port 0 of SCTP is answered by 0.
    #[error("sctp-port 0 is answered by another")]
    SctpPort,
    /// RFC 8841 section 4.3: a section of SCTP has one format.
    #[error("there is more than one format")]
    Formats,
    /// RFC 9143 section 7.3: the answer bundles only what was offered in one group.
    #[error("a group holds what was not offered together")]
    Bundle,
    /// RFC 9143 section 7: a name stands in two groups, or twice in one.
    #[error("a group names a section that is in a group already")]
    BundledTwice,
    /// RFC 9143 section 7.3.3: what is refused is in no group.
    #[error("a group holds a refused section")]
    BundledRefusal,
    /// RFC 9143 section 6: bundle-only is for offers, with port 0 and within a group.
    #[error("bundle-only may not stand here")]
    BundleOnly,
    /// RFC 9143 section 7.3.2: a bundle-only section cannot leave its group.
    #[error("a bundle-only section is accepted outside of its group")]
    Unbundled,
    /// RFC 9143 section 7.2.1: the first of a group is a section with a port of its own.
    #[error("the first of a group is bundle-only")]
    TagBundleOnly,
    /// RFC 9143 section 8: what is bundled has one transport protocol.
    #[error("a group holds sections over UDP and over TCP")]
    BundleTransport,
    /// RFC 3264 section 8: the origin is the same, but for its version.
    #[error("the origin is that of another session")]
    Origin,
    /// RFC 3264 section 8: the version grows with every change. It may skip numbers, since descriptions that came to
    /// nothing count too (RFC 9429 section 5.2.2).
    #[error("the version is neither that of the same text nor a later one")]
    Version,
    /// RFC 8839 section 4.4.1.1.1: a restart changes both ufrag and password.
    #[error("only one of ice-ufrag and ice-pwd has changed")]
    HalfRestart,
    /// RFC 8839 section 4.4.1.1.1: options, pacing and lite change with a restart only.
    #[error("ice-options, ice-pacing or ice-lite has changed without a restart")]
    IceChanged,
    /// RFC 9429 section 5.8.3: a new DTLS association needs a restart of ICE.
    #[error("tls-id has changed without a restart")]
    TlsIdChanged,
    /// RFC 8839 section 4.4.2.1: a restart is answered by new credentials.
    #[error("the restart is not answered by new ice-ufrag and ice-pwd")]
    RestartUnanswered,
    /// RFC 9429 section 5.10: only an offer begins a restart.
    #[error("ice-ufrag and ice-pwd are new, and the offer has no restart")]
    UnofferedRestart,
    /// RFC 8842 sections 5.1 and 6: roles, fingerprints and tls-id change with a restart only, or without ICE with the
    /// address, for a new association needs to be told from the old one.
    #[error("setup, fingerprint or tls-id asks for a new association without a restart or a new address")]
    DtlsWithoutRestart,
    /// RFC 8841 section 10.3: a new port of SCTP is answered by a new one.
    #[error("the new sctp-port is answered by the old one")]
    SctpPortKept,
    /// RFC 9143 section 7.3.2: an answer cannot take out of a group what is in it.
    #[error("a section is accepted outside of its group")]
    MovedOut,
    /// RFC 9143 section 7.5.2: no section goes from one group to another at once.
    #[error("a section has gone from one group to another")]
    MovedOver,
    /// RFC 9143 section 7.3.3: the section that speaks for a group is not refused alone.
    #[error("the section that speaks for its group is refused, and another of the group accepted")]
    TagRefused,
}

/// What the answer to one offered section may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answerable<'d, 'a> {
    /// The medium, which the answer repeats.
    pub kind: &'a str,
    /// The protocol, likewise.
    pub proto: &'a str,
    /// The name, which the answer repeats; it has none if this is `None`.
    pub mid: Option<&'a str>,
    /// Whether it can be accepted at all. It can always be refused, by port 0.
    pub can_accept: bool,
    /// Whether ICE may be used.
    pub ice: bool,
    /// The options of ICE in force if the answer lists them too.
    pub options: Option<&'d IceOptions>,
    /// The roles that may be answered, the best first.
    pub setups: &'static [Setup],
    /// Whether the answer has a `tls-id` of its own.
    pub tls_id: bool,
    /// The directions that may be answered, the most open first. For data channels it means nothing.
    pub directions: &'static [Direction],
    /// Whether an SCTP association may be set up: if not, `sctp-port` is answered by 0.
    pub sctp: bool,
    /// Whether it can be in a BUNDLE group of the answer.
    pub bundle: bool,
}

/// What one section of a new description has changed for the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing, or things that leave ICE alone.
    None,
    /// Both credentials are new: ICE restarts.
    Restart,
    /// There was no such section, or it was refused.
    New,
    /// The section is not wanted any more.
    Removed,
}

/// The roles that answer an offered one, the best first (RFC 4145 section 4.1). Where nothing is offered, active is
/// meant. `holdconn` is not for DTLS (RFC 8842 section 5.1).
pub fn setups(offered: Option<Setup>) -> &'static [Setup] {
    match offered {
        Some(Setup::ActPass) => &[Setup::Active, Setup::Passive],
        Some(Setup::Active) | None => &[Setup::Passive],
        Some(Setup::Passive) => &[Setup::Active],
        Some(Setup::HoldConn) => &[],
    }
}

/// The directions that answer an offered one, the most open first (RFC 3264 section 6.1).
pub fn directions(offered: Direction) -> &'static [Direction] {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    match offered {
        SendRecv => &[SendRecv, SendOnly, RecvOnly, Inactive],
        SendOnly => &[RecvOnly, Inactive],
        RecvOnly => &[SendOnly, Inactive],
        Inactive => &[Inactive],
    }
}

impl<'d, 'a> Section<'d, 'a> {
    /// What the answer to this offered section may contain.
    pub fn answerable(&self) -> Answerable<'d, 'a> {
        let media = self.media();
        let transport = if self.has_ice() { *self } else { self.transport() };
        Answerable {
            kind: media.kind,
            proto: media.proto,
            mid: media.mid,
            can_accept: !media.is_rejected() && transport.setup() != Some(Setup::HoldConn),
            ice: transport.has_ice(),
            options: transport.options(),
            setups: setups(transport.setup()),
            tls_id: transport.tls_id().is_some(),
            directions: directions(self.direction()),
            sctp: media.is_sctp() && media.sctp_port.is_some_and(|port| port != 0),
            bundle: self.bundle().is_some(),
        }
    }
}

/// The sections for which an answer lets ICE go on, by their places; for all others the rules of RFC 3264 count alone
/// (RFC 8839 section 4.3.3).
///
/// One changed default destination ends ICE for the whole session, `ice-mismatch` for its section.
pub fn ice_sections(answer: &SessionDescription<'_>) -> Vec<usize> {
    let is_living = |section: &Section<'_, '_>| section.media().port != 0;
    if answer.sections().any(|section| section.has_mismatch()) {
        return Vec::new();
    }
    let has_ice = |section: &Section<'_, '_>| {
        let transport = section.transport();
        transport.has_ice() && !transport.media().is_mismatch && !section.media().is_mismatch
    };
    answer.sections().filter(is_living).filter(has_ice).map(|section| section.index()).collect()
}

/// The Ta of both, in milliseconds: the larger one of what both want (RFC 8839 section 5.5).
pub fn agreed_pacing(offer: &SessionDescription<'_>, answer: &SessionDescription<'_>) -> u32 {
    offer.pacing().max(answer.pacing())
}

/// Whether `offer` keeps the rules of an offer.
///
/// # Errors
///
/// The first rule that is broken.
pub fn check_offer(offer: &SessionDescription<'_>) -> Result<(), Violation> {
    let groups = Groups::of(offer)?;
    groups.check_transports(offer)?;
    check_credentials(offer)?;
    for section in offer.sections() {
        let (media, at) = (section.media(), section.index());
        let grouped = media.mid.is_some_and(|mid| groups.place(mid).is_some());
        if media.is_mismatch {
            return Err(at_section(at, Rule::Mismatch));
        }
        if media.is_bundle_only && media.port == 0 && !grouped {
            return Err(at_section(at, Rule::BundleOnly));
        }
        if media.is_bundle_only && media.port == 0 && media.mid.is_some_and(|mid| groups.is_tag(mid)) {
            return Err(at_section(at, Rule::TagBundleOnly));
        }
        if section.has_option(IceOptions::TRICKLE) && section.has_ice() && media.mid.is_none() {
            return Err(at_section(at, Rule::NoMid));
        }
        check_common(section)?;
        if section.setup() == Some(Setup::HoldConn) {
            return Err(at_section(at, Rule::Setup));
        }
    }
    Ok(())
}

/// Whether `answer` answers `offer`.
///
/// # Errors
///
/// The first rule that is broken.
pub fn check_answer(
    offer: &SessionDescription<'_>,
    answer: &SessionDescription<'_>,
) -> Result<(), Violation> {
    if offer.media.len() != answer.media.len() {
        return Err(Violation { section: None, rule: Rule::SectionCount });
    }
    if offer.times() != answer.times() {
        return Err(Violation { section: None, rule: Rule::Times });
    }
    let (offered, answered) = (Groups::of(offer)?, Groups::of(answer)?);
    answered.check_within(&offered)?;
    check_credentials(answer)?;
    for (offered_section, section) in offer.sections().zip(answer.sections()) {
        check_answered_section(offered_section, section, &answered)?;
    }
    Ok(())
}

fn check_answered_section(
    offered: Section<'_, '_>,
    answered: Section<'_, '_>,
    groups: &Groups<'_>,
) -> Result<(), Violation> {
    let (offer, answer, at) = (offered.media(), answered.media(), answered.index());
    let need = |holds: bool, rule| if holds { Ok(()) } else { Err(at_section(at, rule)) };
    let group = answer.mid.and_then(|mid| groups.place(mid));
    need(offer.kind == answer.kind, Rule::Kind)?;
    need(offer.proto == answer.proto, Rule::Proto)?;
    need(offer.mid == answer.mid, Rule::Mid)?;
    need(!answer.is_bundle_only, Rule::BundleOnly)?;
    need(answer.remote_candidates.is_empty(), Rule::RemoteCandidates)?;
    if answer.port == 0 {
        need(answer.candidates.is_empty(), Rule::CandidatesAtPortZero)?;
        return need(group.is_none(), Rule::BundledRefusal);
    }
    need(!offer.is_rejected(), Rule::Revived)?;
    need(!(offer.is_bundle_only && offer.port == 0) || group.is_some(), Rule::Unbundled)?;
    if offer.is_sctp() {
        need(offer.formats == answer.formats, Rule::Format)?;
        need(offer.sctp_port != Some(0) || answer.sctp_port == Some(0), Rule::SctpPort)?;
    } else {
        let directions = directions(offered.direction());
        need(directions.contains(&answered.direction()), Rule::Direction)?;
    }
    let transport = groups.transport(answered);
    if transport.index() == at {
        check_answered_transport(offered, answered)?;
    }
    check_common(answered)
}

fn check_answered_transport(offered: Section<'_, '_>, answered: Section<'_, '_>) -> Result<(), Violation> {
    let (answer, at) = (answered.media(), answered.index());
    let rules = offered.answerable();
    let need = |holds: bool, rule| if holds { Ok(()) } else { Err(at_section(at, rule)) };
    let has_ice = answered.ufrag().is_some() || answered.pwd().is_some() || !answer.candidates.is_empty();
    need(rules.ice || !(has_ice || answer.is_mismatch), Rule::UnofferedIce)?;
    if answer.is_mismatch {
        return need(answer.candidates.is_empty(), Rule::Mismatch);
    }
    if is_secured(offered) {
        let setup = answered.setup().ok_or_else(|| at_section(at, Rule::NoSetup))?;
        need(rules.setups.contains(&setup), Rule::Setup)?;
        need(!answered.fingerprints().is_empty(), Rule::NoFingerprint)?;
    }
    need(rules.tls_id || answered.tls_id().is_none(), Rule::TlsId)
}

/// Whether `next` may follow `last`, both offers or answers of one side, and what each section changes.
///
/// # Errors
///
/// The first rule that is broken.
pub fn check_next_offer(
    last: &SessionDescription<'_>,
    next: &SessionDescription<'_>,
) -> Result<Vec<Change>, Violation> {
    check_following(last, next, |_| false)?;
    let changes = next.sections().map(|section| {
        let before = last.section(section.index());
        before.map_or(Change::New, |before| change(before, section))
    });
    Ok(changes.collect())
}

/// The same of all but those sections that the other side has refused, which anything may follow.
pub(crate) fn check_following(
    last: &SessionDescription<'_>,
    next: &SessionDescription<'_>,
    is_refused: impl Fn(usize) -> bool,
) -> Result<(), Violation> {
    let whole = |rule| Violation { section: None, rule };
    if !last.origin.is_same_session(&next.origin) {
        return Err(whole(Rule::Origin));
    }
    if !follows(last.origin.version, next.origin.version, last.as_str() == next.as_str()) {
        return Err(whole(Rule::Version));
    }
    if next.media.len() < last.media.len() {
        return Err(whole(Rule::SectionsRemoved));
    }
    let mut sections = last.sections().zip(next.sections()).filter(|(last, _)| !is_refused(last.index()));
    sections.try_for_each(|(last, next)| check_change(last, next))
}

fn check_change(last: Section<'_, '_>, next: Section<'_, '_>) -> Result<(), Violation> {
    let at = next.index();
    if last.media().is_rejected() || next.media().is_rejected() {
        return Ok(());
    }
    let need = |holds: bool, rule| if holds { Ok(()) } else { Err(at_section(at, rule)) };
    need(last.media().mid == next.media().mid, Rule::Mid)?;
    need(last.media().kind == next.media().kind, Rule::Kind)?;
    if !last.has_ice() || !next.has_ice() {
        return Ok(());
    }
    let (ufrag, pwd) = (last.ufrag() != next.ufrag(), last.pwd() != next.pwd());
    need(ufrag == pwd, Rule::HalfRestart)?;
    if ufrag {
        return Ok(());
    }
    let (old, new) = (last.session(), next.session());
    let same = is_alike(last.options(), next.options())
        && old.ice_pacing == new.ice_pacing
        && old.is_lite == new.is_lite;
    need(same, Rule::IceChanged)?;
    need(last.tls_id() == next.tls_id(), Rule::TlsIdChanged)
}

/// An answer lists only what the offer did (RFC 9429 section 5.3.1), so that one side may list less in one description
/// and more in the next. Lists too long to be searched in so often are compared as they stand.
fn is_alike(last: Option<&IceOptions>, next: Option<&IceOptions>) -> bool {
    let is_short = |options: &IceOptions| options.iter().nth(MOST_OPTIONS).is_none();
    let within = |one: &IceOptions, other: &IceOptions| one.iter().all(|option| other.contains(option));
    match (last, next) {
        (Some(last), Some(next)) if is_short(last) && is_short(next) => {
            within(last, next) || within(next, last)
        }
        (Some(last), Some(next)) => last == next,
        _ => true,
    }
}

const MOST_OPTIONS: usize = 16;

fn change(last: Section<'_, '_>, next: Section<'_, '_>) -> Change {
    match (last.media().is_rejected(), next.media().is_rejected()) {
        (false, true) => Change::Removed,
        (true, false) => Change::New,
        (true, true) => Change::None,
        (false, false) if last.has_ice() && next.has_ice() && last.ufrag() != next.ufrag() => Change::Restart,
        (false, false) => Change::None,
    }
}

/// The version is a later one, or the same with the same text. Numbers are compared as digits: they may be long.
fn follows(last: &str, next: &str, same_text: bool) -> bool {
    let order = |version: &'_ str| {
        let digits = version.trim_start_matches('0');
        (digits.len(), digits.to_owned())
    };
    match order(next).cmp(&order(last)) {
        Ordering::Greater => true,
        Ordering::Equal => same_text,
        Ordering::Less => false,
    }
}

/// What holds for offers and answers.
fn check_common(section: Section<'_, '_>) -> Result<(), Violation> {
    let (media, at) = (section.media(), section.index());
    let need = |holds: bool, rule| if holds { Ok(()) } else { Err(at_section(at, rule)) };
    need(section.ufrag().is_some() == section.pwd().is_some(), Rule::NoCredentials)?;
    need(section.has_ice() || media.candidates.is_empty() || media.is_bundle_only, Rule::NoCredentials)?;
    need(media.port != 0 || media.candidates.is_empty(), Rule::CandidatesAtPortZero)?;
    if media.is_sctp() && !media.is_rejected() {
        need(media.formats().nth(1).is_none(), Rule::Formats)?;
        need(media.sctp_port.is_some(), Rule::NoSctpPort)?;
    }
    Ok(())
}

fn check_credentials(description: &SessionDescription<'_>) -> Result<(), Violation> {
    let mut known = BTreeMap::new();
    for section in description.sections() {
        let (Some(ufrag), Some(pwd)) = (section.ufrag(), section.pwd()) else { continue };
        if known.insert(ufrag.as_str(), pwd.as_str()).is_some_and(|other| other != pwd.as_str()) {
            return Err(at_section(section.index(), Rule::Credentials));
        }
    }
    Ok(())
}

/// Whether a section is one of DTLS: its protocol says so, and there is a fingerprint.
fn is_secured(section: Section<'_, '_>) -> bool {
    let transport = if section.has_ice() { section } else { section.transport() };
    section.media().is_dtls() && !transport.fingerprints().is_empty()
}

/// The BUNDLE groups of a description, by the names in them.
pub(crate) struct Groups<'a> {
    /// The group and the place in it of each name.
    places: BTreeMap<&'a str, (usize, usize)>,
    /// The section that speaks for each group.
    tags: BTreeMap<usize, usize>,
}

impl<'a> Groups<'a> {
    pub(crate) fn of(description: &SessionDescription<'a>) -> Result<Self, Violation> {
        let sections: BTreeMap<_, _> = description
            .media
            .iter()
            .enumerate()
            .filter_map(|(index, media)| Some((media.mid?, (index, media.port))))
            .collect();
        let (mut places, mut tags) = (BTreeMap::new(), BTreeMap::new());
        for (group, bundle) in description.bundles().enumerate() {
            for (place, mid) in bundle.mids().enumerate() {
                let section = sections.get(mid);
                if places.insert(mid, (group, place)).is_some() {
                    let section = section.map(|&(index, _)| index);
                    return Err(Violation { section, rule: Rule::BundledTwice });
                }
                if let Some(&(index, port)) = section
                    && port != 0
                {
                    tags.entry(group).or_insert(index);
                }
            }
        }
        Ok(Self { places, tags })
    }

    /// The group of that name.
    pub(crate) fn place(&self, mid: &str) -> Option<usize> {
        self.places.get(mid).map(|&(group, _)| group)
    }

    /// Whether it is the first of its group.
    pub(crate) fn is_tag(&self, mid: &str) -> bool {
        self.places.get(mid).is_some_and(|&(_, place)| place == 0)
    }

    /// The section whose transport `section` uses.
    fn transport<'d>(&self, section: Section<'d, 'a>) -> Section<'d, 'a> {
        let group = section.media().mid.and_then(|mid| self.place(mid));
        let tag = group.and_then(|group| self.tags.get(&group));
        tag.and_then(|&tag| section.session().section(tag)).unwrap_or(section)
    }

    /// RFC 9143 section 8: a group has one transport protocol.
    fn check_transports(&self, description: &SessionDescription<'_>) -> Result<(), Violation> {
        let mut known = BTreeMap::new();
        for section in description.sections().filter(|section| !section.media().is_rejected()) {
            let Some(group) = section.media().mid.and_then(|mid| self.place(mid)) else { continue };
            let is_tcp = section.media().is_tcp();
            if *known.entry(group).or_insert(is_tcp) != is_tcp {
                return Err(at_section(section.index(), Rule::BundleTransport));
            }
        }
        Ok(())
    }

    /// RFC 9143 section 7.3: what is in one group of the answer was in one of the offer, each in another.
    fn check_within(&self, offered: &Groups<'_>) -> Result<(), Violation> {
        let wrong = Violation { section: None, rule: Rule::Bundle };
        let mut from = BTreeMap::new();
        for (mid, (group, _)) in &self.places {
            let place = offered.place(mid).ok_or(wrong)?;
            if *from.entry(*group).or_insert(place) != place {
                return Err(wrong);
            }
        }
        let distinct: BTreeSet<_> = from.values().collect();
        if distinct.len() == from.len() { Ok(()) } else { Err(wrong) }
    }
}

pub(crate) fn at_section(index: usize, rule: Rule) -> Violation {
    Violation { section: Some(index), rule }
}

/// "section 3: ", or nothing.
struct InSection(Option<usize>);

impl fmt::Display for InSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(index) => write!(f, "section {index}: "),
            None => Ok(()),
        }
    }
}

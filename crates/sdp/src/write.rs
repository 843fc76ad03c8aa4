//! Descriptions of our own: an offer of data channels, and the answer to one (RFC 9429 sections 5.2 and 5.3).

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::slice::from_ref;

use crate::candidate::{Address, CandidateLine, CandidateType, Transport, is_domain_name};
use crate::class::Class;
use crate::credentials::{IcePwd, IceUfrag};
use crate::data_channel::{DEFAULT_MAX_MESSAGE_SIZE, DataSession, Unfit};
use crate::dtls::{Fingerprint, Setup, TlsId};
use crate::ice::IceOptions;
use crate::ip::write_ip;
use crate::media::{DATA_CHANNEL, is_tcp};
use crate::offer_answer::setups;
use crate::print::decimal;
use crate::scan::MAX_ICE_LINE;
use crate::session::SessionDescription;

/// What our side brings to a data channel session, to be written as an offer or as an answer.
///
/// It is the whole state: the next version is the same value with what has changed, and `version` one higher.
#[derive(Debug, Clone, Copy)]
pub struct LocalSession<'a> {
    /// Chosen by chance, below 2^63 - 1 (RFC 9429 section 5.2.1).
    pub session_id: u64,
    /// One higher with each description that says something else.
    pub version: u64,
    /// At most 32 characters (RFC 8839 section 5.4).
    pub ufrag: &'a IceUfrag,
    /// Our password.
    pub pwd: &'a IcePwd,
    /// The hashes of our certificate, at least one.
    pub fingerprints: &'a [Fingerprint],
    /// Our half of the name of the DTLS association. An answer shows it only if the offer has one.
    pub tls_id: Option<&'a TlsId>,
    /// The port of SCTP, 5000 as a rule; 0 closes the association.
    pub sctp_port: u16,
    /// The largest message that we take, in bytes; 0 for any.
    pub max_message_size: u64,
    /// Whether we can take candidates that come later. An answer says so only if the offer did.
    pub trickle: bool,
    /// Whether we are a lite agent (RFC 8839 section 4.2.1.4).
    pub is_lite: bool,
    /// The Ta that we want, in milliseconds. A lite agent never says (RFC 8839 section 4.3.1).
    pub pacing: Option<u32>,
    /// What was gathered so far; the best to be reached at becomes the default destination.
    pub candidates: &'a [CandidateLine],
    /// Gathering is complete.
    pub end_of_candidates: bool,
    /// The nominated pair, for who follows RFC 8839 section 4.4.1.2.2: its local candidate is told in the place of all
    /// others, as the default destination. RFC 9429 section 5.2.2 goes on telling all, and browsers do; then it is
    /// `None`.
    pub selected: Option<Selected<'a>>,
}

/// The nominated pair of the data section.
#[derive(Debug, Clone, Copy)]
pub struct Selected<'a> {
    /// Its local candidate.
    pub local: &'a CandidateLine,
    /// Address and port of its remote candidate if we are controlling. An offer tells them (`remote-candidates`), so
    /// that it may come before the check that nominates; an answer does not.
    pub remote: Option<(IpAddr, u16)>,
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The name of the section is no token.
    #[error("the mid is no token")]
    Mid,
    /// More than 32 characters may not be sent.
    #[error("the ufrag has more than 32 characters")]
    UfragTooLong,
    /// There is no fingerprint.
    #[error("there is no fingerprint")]
    NoFingerprint,
    /// The session id or the version does not fit 63 bits.
    #[error("the session id or the version is too large")]
    OriginTooLarge,
    /// A candidate that was filled by hand does not follow the grammar.
    #[error("a candidate does not follow the grammar")]
    Candidate,
    /// The offer is not one of data channels.
    #[error("the offer cannot be accepted: {0}")]
    Offer(#[from] Unfit),
    /// The offered section lives within a group whose other sections we refuse (RFC 9143 section 7.3.2).
    #[error("the data section is bundle-only")]
    BundleOnly,
    /// That role does not answer the offered one.
    #[error("setup:{wanted} does not answer the offer")]
    Setup {
        /// The role that was asked for.
        wanted: Setup,
    },
}

impl<'a> LocalSession<'a> {
    /// With trickle, SCTP port 5000, messages up to 256 KiB, and no candidate yet.
    pub fn new(
        session_id: u64,
        ufrag: &'a IceUfrag,
        pwd: &'a IcePwd,
        fingerprints: &'a [Fingerprint],
    ) -> Self {
        Self {
            session_id,
            version: 0,
            ufrag,
            pwd,
            fingerprints,
            tls_id: None,
            sctp_port: 5000,
            max_message_size: 262_144,
            trickle: true,
            is_lite: false,
            pacing: None,
            candidates: &[],
            end_of_candidates: false,
            selected: None,
        }
    }

    /// The same with the next version, to be changed and offered.
    pub fn next(self) -> Self {
        Self { version: self.version.saturating_add(1), ..self }
    }

    /// The next version with credentials of another generation: a restart of ICE (RFC 8839 section 4.4.1.1.1). Nothing
    /// is gathered and selected in it yet. Options, pace and `tls_id` may change with it, and only with it.
    pub fn restarted(self, ufrag: &'a IceUfrag, pwd: &'a IcePwd) -> Self {
        Self { ufrag, pwd, candidates: &[], end_of_candidates: false, selected: None, ..self.next() }
    }

    /// Writes an offer of one section with the name `mid`.
    ///
    /// # Errors
    ///
    /// Something in `self` may not be sent.
    pub fn offer(&self, mid: &str) -> Result<String, BuildError> {
        self.check()?;
        check_mid(mid)?;
        let section = Accepted {
            mid: Some(mid),
            // RFC 8841 section 12.2: the protocol of the pair that is selected.
            proto: match self.selected {
                Some(Selected { local: CandidateLine { transport: Transport::Tcp, .. }, .. }) => {
                    "TCP/DTLS/SCTP"
                }
                _ => "UDP/DTLS/SCTP",
            },
            format: DATA_CHANNEL,
            setup: Setup::ActPass,
            tls_id: self.tls_id,
            sctp_port: self.sctp_port,
            remote: self.selected.and_then(|selected| selected.remote),
        };
        let options = if self.trickle { "ice2 trickle" } else { "ice2" };
        let mut out = String::with_capacity(self.room(1));
        let _ = self.write_session(&mut out, "0 0", options, Some(mid));
        let _ = self.write_section(&mut out, &section);
        Ok(out)
    }

    /// Writes the offer that ends the section `mid`, and its associations with it (RFC 8841 section 10.5).
    ///
    /// # Errors
    ///
    /// The name is none, or the session id or the version is too large.
    pub fn removal(&self, mid: &str) -> Result<String, BuildError> {
        self.check_origin()?;
        check_mid(mid)?;
        let mut out = String::with_capacity(self.room(1));
        let _ = self.write_origin(&mut out, "0 0");
        push_refused(&mut out, ["application", "UDP/DTLS/SCTP", DATA_CHANNEL], Some(mid));
        Ok(out)
    }

    /// Writes the answer to `offer`: its first section of data channels is accepted, all others are refused. Against
    /// `actpass` we become active, so that the handshake begins one way sooner (RFC 9429 section 5.3.1).
    ///
    /// # Errors
    ///
    /// Something in `self` may not be sent, or the offer has no section that we can accept.
    pub fn answer(&self, offer: &SessionDescription<'_>) -> Result<String, BuildError> {
        let session = offer.data_session()?;
        let setup = setups(Some(session.setup)).first().copied().unwrap_or(Setup::Active);
        self.answer_as(setup, offer)
    }

    /// The same with a role that the host wants: the one it has already, in an answer that keeps the association.
    ///
    /// # Errors
    ///
    /// As [`answer`](Self::answer), or the role does not answer the offered one.
    pub fn answer_as(&self, setup: Setup, offer: &SessionDescription<'_>) -> Result<String, BuildError> {
        self.check()?;
        let session = offer.data_session()?;
        if session.section.media().is_bundle_only && session.section.media().port == 0 {
            return Err(BuildError::BundleOnly);
        }
        if !setups(Some(session.setup)).contains(&setup) {
            return Err(BuildError::Setup { wanted: setup });
        }
        let mut out = String::with_capacity(self.room(offer.media.len()));
        let _ = self.write_answer(&mut out, setup, offer, &session);
        Ok(out)
    }

    /// Writes the answer that refuses every section of `offer`.
    ///
    /// # Errors
    ///
    /// The session id or the version is too large.
    pub fn refusal(&self, offer: &SessionDescription<'_>) -> Result<String, BuildError> {
        self.check_origin()?;
        let mut out = String::with_capacity(self.room(offer.media.len()));
        let _ = self.write_origin(&mut out, offer.times());
        for media in &offer.media {
            push_refused(&mut out, [media.kind, media.proto, media.formats], media.mid);
        }
        Ok(out)
    }

    fn check(&self) -> Result<(), BuildError> {
        self.check_origin()?;
        check_ufrag(self.ufrag)?;
        if self.fingerprints.is_empty() {
            return Err(BuildError::NoFingerprint);
        }
        self.candidates().iter().try_for_each(check_candidate)
    }

    /// Those that are told.
    fn candidates(&self) -> &'a [CandidateLine] {
        self.selected.map_or(self.candidates, |selected| from_ref(selected.local))
    }

    /// RFC 3264 section 5: both fit a signed number of 64 bits.
    fn check_origin(&self) -> Result<(), BuildError> {
        let most = i64::MAX.unsigned_abs();
        if self.session_id >= most || self.version >= most {
            return Err(BuildError::OriginTooLarge);
        }
        Ok(())
    }

    /// About as many bytes as will be written, so that they are written in one piece.
    fn room(&self, sections: usize) -> usize {
        let fingerprints =
            self.fingerprints.iter().map(|one| one.digest().len().saturating_mul(3).saturating_add(25));
        let texts = [self.ufrag.as_str(), self.pwd.as_str(), self.tls_id.map_or("", TlsId::as_str)];
        let own = texts.map(str::len).into_iter().chain(fingerprints).sum::<usize>();
        let others = sections.saturating_sub(1).saturating_mul(160);
        own.saturating_add(others).saturating_add(room_for(self.candidates())).saturating_add(400)
    }

    fn write_answer(
        &self,
        out: &mut String,
        setup: Setup,
        offer: &SessionDescription<'_>,
        session: &DataSession<'_, '_>,
    ) -> fmt::Result {
        let mid = session.section.media().mid;
        let bundled = mid.filter(|_| session.section.bundle().is_some());
        let options = match (session.is_ice2(), self.trickle && session.can_trickle()) {
            (true, true) => "ice2 trickle",
            (true, false) => IceOptions::ICE2,
            (false, true) => IceOptions::TRICKLE,
            (false, false) => "",
        };
        self.write_session(out, offer.times(), options, bundled)?;
        for (index, media) in offer.media.iter().enumerate() {
            if index != session.section.index() {
                push_refused(out, [media.kind, media.proto, media.formats], media.mid);
                continue;
            }
            let accepted = Accepted {
                mid,
                proto: media.proto,
                format: media.formats,
                setup,
                // RFC 8842 section 5.3: none, if the offer has none.
                tls_id: self.tls_id.filter(|_| session.tls_id.is_some()),
                // RFC 8841 section 10.3: zero is answered by zero.
                sctp_port: if session.sctp_port == 0 { 0 } else { self.sctp_port },
                // RFC 8839 section 4.4.2: never in an answer.
                remote: None,
            };
            self.write_section(out, &accepted)?;
        }
        Ok(())
    }

    fn write_origin(&self, out: &mut String, times: &str) -> fmt::Result {
        out.push_str("v=0\r\no=- ");
        decimal(out, self.session_id)?;
        out.push(' ');
        decimal(out, self.version)?;
        push(out, &[" IN IP4 0.0.0.0\r\ns=-\r\nt=", times, "\r\n"]);
        Ok(())
    }

    fn write_session(
        &self,
        out: &mut String,
        times: &str,
        options: &str,
        bundled: Option<&str>,
    ) -> fmt::Result {
        self.write_origin(out, times)?;
        if let Some(mid) = bundled {
            push(out, &["a=group:BUNDLE ", mid, "\r\n"]);
        }
        if !options.is_empty() {
            push(out, &["a=ice-options:", options, "\r\n"]);
        }
        if self.is_lite {
            out.push_str("a=ice-lite\r\n");
        } else if let Some(milliseconds) = self.pacing {
            push_number(out, "a=ice-pacing:", milliseconds)?;
        }
        Ok(())
    }

    fn write_section(&self, out: &mut String, accepted: &Accepted<'_>) -> fmt::Result {
        let is_tcp = is_tcp(accepted.proto);
        let (ip, port) = default_destination(self.candidates(), is_tcp).unwrap_or(NOWHERE);
        out.push_str("m=application ");
        decimal(out, port)?;
        push(out, &[" ", accepted.proto, " ", accepted.format, "\r\nc=IN "]);
        out.push_str(if ip.is_ipv6() { "IP6 " } else { "IP4 " });
        write_ip(out, ip)?;
        out.push_str("\r\n");
        if let Some(mid) = accepted.mid {
            push(out, &["a=mid:", mid, "\r\n"]);
        }
        push(out, &["a=ice-ufrag:", self.ufrag.as_str(), "\r\na=ice-pwd:", self.pwd.as_str(), "\r\n"]);
        for fingerprint in self.fingerprints {
            out.push_str("a=fingerprint:");
            fingerprint.write(out)?;
            out.push_str("\r\n");
        }
        push(out, &["a=setup:", accepted.setup.as_str(), "\r\n"]);
        if let Some(id) = accepted.tls_id {
            push(out, &["a=tls-id:", id.as_str(), "\r\n"]);
        }
        push_number(out, "a=sctp-port:", accepted.sctp_port)?;
        if self.max_message_size != DEFAULT_MAX_MESSAGE_SIZE {
            push_number(out, "a=max-message-size:", self.max_message_size)?;
        }
        if let Some((ip, port)) = accepted.remote {
            out.push_str("a=remote-candidates:1 ");
            write_ip(out, ip)?;
            push_number(out, " ", port)?;
        }
        write_candidates(out, self.candidates(), self.end_of_candidates)
    }
}

/// The section of data channels, as it will be.
struct Accepted<'s> {
    mid: Option<&'s str>,
    proto: &'s str,
    format: &'s str,
    setup: Setup,
    tls_id: Option<&'s TlsId>,
    sctp_port: u16,
    remote: Option<(IpAddr, u16)>,
}

/// RFC 3264 section 6: port 0, and all else as offered. RFC 9143 section 7.3.3: in no group.
fn push_refused(out: &mut String, [kind, proto, formats]: [&str; 3], mid: Option<&str>) {
    push(out, &["m=", kind, " 0 ", proto, " ", formats, "\r\nc=IN IP4 0.0.0.0\r\n"]);
    if let Some(mid) = mid {
        push(out, &["a=mid:", mid, "\r\n"]);
    }
}

/// What is known so far of where we can be reached.
pub(crate) fn write_candidates(out: &mut String, candidates: &[CandidateLine], is_all: bool) -> fmt::Result {
    for candidate in candidates {
        out.push_str("a=");
        candidate.write(out)?;
        out.push_str("\r\n");
    }
    out.push_str(if is_all { "a=end-of-candidates\r\n" } else { "" });
    Ok(())
}

/// As many bytes as they take at most, and few more.
pub(crate) fn room_for(candidates: &[CandidateLine]) -> usize {
    let address = |address: &Address| match address {
        Address::Ip(IpAddr::V4(_)) => 15,
        Address::Ip(IpAddr::V6(_)) => 45,
        Address::Name(name) => name.len(),
    };
    let lines = candidates.iter().map(|line| {
        let related = line.related.as_ref().map_or(0, |(related, _)| address(related).saturating_add(19));
        let pairs = line.extensions.iter().flat_map(|(name, value)| [name.len(), value.len(), 2]).sum();
        [47, line.foundation.len(), line.transport.as_str().len(), address(&line.address), related, pairs]
    });
    lines.flatten().sum()
}

/// RFC 8840 section 4.1.1: no candidate can be the default destination yet.
const NOWHERE: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9);

/// RFC 8839 section 4.2.1.2: what most likely works with a peer without ICE. A relay before what a server saw of us,
/// that before our own, IPv4 before IPv6. Names and other transports are none (RFC 8839 section 4.3.2).
fn default_destination(candidates: &[CandidateLine], is_tcp: bool) -> Option<(IpAddr, u16)> {
    let wanted = if is_tcp { Transport::Tcp } else { Transport::Udp };
    let usable = candidates.iter().filter(|line| line.component == 1 && line.transport == wanted);
    let ranked = usable.filter_map(|line| match line.address {
        Address::Ip(ip) if line.port != 0 => {
            let kind = match line.kind {
                CandidateType::Relayed => 2,
                CandidateType::ServerReflexive | CandidateType::PeerReflexive => 1,
                CandidateType::Host => 0,
            };
            Some(((kind, ip.is_ipv4(), line.priority), (ip, line.port)))
        }
        Address::Ip(_) | Address::Name(_) => None,
    });
    ranked.max_by_key(|&(rank, _)| rank).map(|(_, destination)| destination)
}

pub(crate) fn push(out: &mut String, texts: &[&str]) {
    texts.iter().for_each(|text| out.push_str(text));
}

fn push_number(out: &mut String, name: &str, number: impl Into<u64>) -> fmt::Result {
    out.push_str(name);
    decimal(out, number)?;
    out.push_str("\r\n");
    Ok(())
}

pub(crate) fn check_mid(mid: &str) -> Result<(), BuildError> {
    if !Class::TOKEN.makes(mid) || mid.len() > 256 {
        return Err(BuildError::Mid);
    }
    Ok(())
}

/// RFC 8839 section 5.4: 256 characters are accepted, 32 are sent.
pub(crate) fn check_ufrag(ufrag: &IceUfrag) -> Result<(), BuildError> {
    if ufrag.as_str().len() > 32 {
        return Err(BuildError::UfragTooLong);
    }
    Ok(())
}

/// The fields of a candidate are open; what is written must be what was meant, and one line.
pub(crate) fn check_candidate(candidate: &CandidateLine) -> Result<(), BuildError> {
    let CandidateLine { foundation, component, transport, priority, address, related, extensions, .. } =
        candidate;
    let is_token = |text: &str| Class::TOKEN.makes(text);
    let is_address = |address: &Address| match address {
        Address::Ip(_) => true,
        Address::Name(name) => is_domain_name(name),
    };
    let is_pair = |(name, value): &(String, String)| is_token(name) && Class::VISIBLE.has_all(value);
    // These would be read as the related address.
    let is_named = |at: usize, name| extensions.get(at).is_some_and(|pair| pair.0.eq_ignore_ascii_case(name));
    let is_related = is_named(0, "raddr") && is_named(1, "rport");
    let length: usize = extensions.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
    let fits = !is_related
        && (1..=32).contains(&foundation.len())
        && Class::ICE.has_all(foundation)
        && (1..=256).contains(component)
        && (1..=0x7fff_ffff).contains(priority)
        && is_token(transport.as_str())
        && is_address(address)
        && related.as_ref().is_none_or(|(address, _)| is_address(address))
        // RFC 8839 section 5.1: who hides it says so by zeros.
        && related.is_some() == (candidate.kind != CandidateType::Host)
        && (*transport != Transport::Tcp || candidate.tcp_type().is_some())
        && extensions.iter().all(is_pair)
        && length.saturating_add(extensions.len().saturating_mul(2)) < MAX_ICE_LINE.saturating_sub(900);
    if fits { Ok(()) } else { Err(BuildError::Candidate) }
}

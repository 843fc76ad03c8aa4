//! What makes a section one of data channels (RFC 8841), and all that one such session needs, gathered and checked.

use alloc::vec::Vec;

use crate::candidate::CandidateRef;
use crate::credentials::{IcePwd, IceUfrag};
use crate::dtls::{Fingerprint, HashFunction, Setup, TlsId};
use crate::error::{ParseError, ParseErrorKind};
use crate::ice::IceOptions;
use crate::scan::Field;
use crate::session::{Section, SessionDescription};

/// What the description of a data channel session tells: everything to connect ICE, DTLS and SCTP with.
///
/// A bundled section has its transport from the first of its group, where the group is of more than one.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DataSession<'d, 'a> {
    /// The section of the data channels.
    pub section: Section<'d, 'a>,
    /// The section whose transport it uses, often the same.
    pub transport: Section<'d, 'a>,
    /// The peer's username fragment.
    pub ufrag: &'d IceUfrag,
    /// The peer's password.
    pub pwd: &'d IcePwd,
    /// The peer's options of ICE, if it lists any.
    pub options: Option<&'d IceOptions>,
    /// The hashes of the certificates that the peer may show: at least one.
    pub fingerprints: &'d [Fingerprint],
    /// Who begins the DTLS handshake; never `holdconn`.
    pub setup: Setup,
    /// The peer's half of the name of the DTLS association.
    pub tls_id: Option<&'d TlsId>,
    /// The port of SCTP at both ends; 0 means that there is to be no association.
    pub sctp_port: u16,
    /// The largest message the peer takes, in bytes. `u64::MAX` stands for any; where nothing is said it is 65,536.
    pub max_message_size: u64,
}

/// Why a description is not one of a data channel session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// No section, or none that is not rejected, has `webrtc-datachannel` over SCTP over DTLS.
    #[error("no section of data channels")]
    NoDataSection,
    /// `ice-ufrag` or `ice-pwd` is missing.
    #[error("the data section has not both ice-ufrag and ice-pwd")]
    NoCredentials,
    /// The answerer found that the default destination is no candidate: ICE must not be used.
    #[error("the data section says ice-mismatch")]
    Mismatch,
    /// No usable fingerprint: the peer's certificate could not be told from any other.
    #[error("the data section has no usable fingerprint")]
    NoFingerprint,
    /// `setup` is missing.
    #[error("the data section has no setup")]
    NoSetup,
    /// `setup:holdconn` is not for DTLS.
    #[error("the data section has setup:holdconn")]
    HoldConn,
    /// `sctp-port` is missing.
    #[error("the data section has no sctp-port")]
    NoSctpPort,
}

impl<'a> SessionDescription<'a> {
    /// The first section of data channels that is not rejected, with all that is needed to connect.
    ///
    /// # Errors
    ///
    /// There is no such section, or something is missing in it (RFC 9429 section 5.8.3).
    pub fn data_session(&self) -> Result<DataSession<'_, 'a>, Unfit> {
        let mut wanted = self.sections().filter(|section| !section.media().is_rejected());
        let section = wanted.find(|section| section.media().is_data_channel()).ok_or(Unfit::NoDataSection)?;
        section.data_session()
    }
}

impl<'d, 'a> Section<'d, 'a> {
    /// All that is needed to connect the data channels of this section.
    ///
    /// # Errors
    ///
    /// It is no section of data channels, or something is missing.
    pub fn data_session(self) -> Result<DataSession<'d, 'a>, Unfit> {
        if !self.media().is_data_channel() {
            return Err(Unfit::NoDataSection);
        }
        // What an offered section says of itself counts, for its group may fall apart in the answer.
        let transport = if self.has_ice() { self } else { self.transport() };
        if self.media().is_mismatch || transport.media().is_mismatch {
            return Err(Unfit::Mismatch);
        }
        let (Some(ufrag), Some(pwd)) = (transport.ufrag(), transport.pwd()) else {
            return Err(Unfit::NoCredentials);
        };
        let fingerprints = transport.fingerprints();
        if fingerprints.is_empty() {
            return Err(Unfit::NoFingerprint);
        }
        let setup = transport.setup().ok_or(Unfit::NoSetup)?;
        if setup == Setup::HoldConn {
            return Err(Unfit::HoldConn);
        }
        Ok(DataSession {
            section: self,
            transport,
            ufrag,
            pwd,
            options: transport.options(),
            fingerprints,
            setup,
            tls_id: transport.tls_id(),
            sctp_port: self.media().sctp_port.ok_or(Unfit::NoSctpPort)?,
            max_message_size: match self.media().max_message_size {
                None => DEFAULT_MAX_MESSAGE_SIZE,
                Some(0) => u64::MAX,
                Some(bytes) => bytes,
            },
        })
    }
}

impl<'d, 'a> DataSession<'d, 'a> {
    /// The candidates, in the order of the text. Those of any member of a group serve all (RFC 9143 section 10).
    pub fn candidates(&self) -> impl Iterator<Item = &'d CandidateRef<'a>> + use<'d, 'a> {
        let is_other = self.section.index() != self.transport.index();
        let own = self.section.media().candidates.iter().filter(move |_| is_other);
        self.transport.media().candidates.iter().chain(own)
    }

    /// Whether the certificate that the peer shows is one of those it told of. `digest` hashes its DER form, and gives
    /// `None` for a function that the host does not know.
    ///
    /// Only the strongest function counts of those that the peer used and the host knows (RFC 8122 section 5.1). If this
    /// is `false`, the session must end at once (RFC 8842 section 5.1).
    pub fn is_certified<D: AsRef<[u8]>>(&self, mut digest: impl FnMut(HashFunction) -> Option<D>) -> bool {
        let mut functions: Vec<_> = self.fingerprints.iter().map(Fingerprint::hash).collect();
        functions.sort_unstable();
        functions.dedup();
        let strongest = functions.into_iter().rev().find_map(|function| Some((function, digest(function)?)));
        strongest.is_some_and(|(function, digest)| {
            let mut those = self.fingerprints.iter().filter(|fingerprint| fingerprint.hash() == function);
            those.any(|fingerprint| fingerprint.digest() == digest.as_ref())
        })
    }

    /// Whether the peer takes candidates that come later.
    pub fn can_trickle(&self) -> bool {
        self.transport.has_option(IceOptions::TRICKLE)
    }

    /// Whether the peer follows RFC 8445.
    pub fn is_ice2(&self) -> bool {
        self.transport.has_option(IceOptions::ICE2)
    }
}

/// RFC 8841 section 5.2: one to five digits without a zero in front.
pub(crate) fn read_sctp_port(value: Field<'_>) -> Result<u16, ParseError> {
    check_no_leading_zero(value, SCTP_PORT)?;
    value.number(5, 0..=u16::MAX, SCTP_PORT)
}

/// RFC 8841 section 6.2. What is too large for 64 bits is as good as the largest number.
pub(crate) fn read_max_message_size(value: Field<'_>) -> Result<u64, ParseError> {
    check_no_leading_zero(value, MESSAGE_SIZE)?;
    value.natural(MESSAGE_SIZE)
}

fn check_no_leading_zero(value: Field<'_>, expected: &'static str) -> Result<(), ParseError> {
    if value.text.len() > 1 && value.text.starts_with('0') {
        return Err(value.error(ParseErrorKind::Malformed, expected));
    }
    Ok(())
}

/// "64K" of RFC 8841 section 6.1.
pub(crate) const DEFAULT_MAX_MESSAGE_SIZE: u64 = 65_536;

const SCTP_PORT: &str = "a port of SCTP from 0 to 65535, without leading zeros";
const MESSAGE_SIZE: &str = "a number of bytes, without leading zeros";

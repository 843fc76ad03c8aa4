//! A row of the table: what one server showed of each feature.

use std::collections::BTreeMap;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feature {
    /// A Binding transaction over UDP and IPv4 (RFC 8489 §6, §12).
    UdpV4,
    UdpV6,
    Tcp,
    /// The certificate is checked by the name.
    Tls,
    /// The first request is never sent and the second is answered; a repeated one is answered alike.
    Retransmission,
    /// A comprehension-optional attribute that nobody knows is ignored (RFC 8489 §6.3).
    UnknownOptional,
    /// A comprehension-required one is refused with 420 and UNKNOWN-ATTRIBUTES (RFC 8489 §6.3.1).
    UnknownRequired,
    /// A request with FINGERPRINT is answered (RFC 8489 §7).
    Fingerprint,
    /// It is there, and of the family that was asked over (RFC 8489 §6.3.3).
    XorMappedAddress,
    /// It says the same.
    MappedAddress,
    /// OTHER-ADDRESS, RESPONSE-ORIGIN and CHANGE-REQUEST (RFC 5780).
    Behaviour,
    /// A request without the magic cookie is answered as RFC 3489 has it (RFC 8489 §11).
    Rfc3489,
    /// What the server says it is.
    Software,
}

impl Feature {
    pub(crate) const ALL: [Self; 13] = [
        Self::UdpV4,
        Self::UdpV6,
        Self::Tcp,
        Self::Tls,
        Self::Retransmission,
        Self::UnknownOptional,
        Self::UnknownRequired,
        Self::Fingerprint,
        Self::XorMappedAddress,
        Self::MappedAddress,
        Self::Behaviour,
        Self::Rfc3489,
        Self::Software,
    ];

    /// The ways to a server, one of which the other features need.
    pub(crate) const WAYS: [Self; 4] = [Self::UdpV4, Self::UdpV6, Self::Tcp, Self::Tls];

    /// All but those.
    pub(crate) const REST: [Self; 9] = [
        Self::Retransmission,
        Self::UnknownOptional,
        Self::UnknownRequired,
        Self::Fingerprint,
        Self::XorMappedAddress,
        Self::MappedAddress,
        Self::Behaviour,
        Self::Rfc3489,
        Self::Software,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::UdpV4 => "udp4",
            Self::UdpV6 => "udp6",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Retransmission => "resend",
            Self::UnknownOptional => "optional",
            Self::UnknownRequired => "required",
            Self::Fingerprint => "fprint",
            Self::XorMappedAddress => "xor",
            Self::MappedAddress => "mapped",
            Self::Behaviour => "5780",
            Self::Rfc3489 => "3489",
            Self::Software => "software",
        }
    }
}

/// What a server showed of one feature, each with what is worth knowing of it; the worst first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// It answered, and wrongly.
    Fail(String),
    /// It cannot be asked for this, or says that it does not do it.
    Unsupported(String),
    /// Nothing came.
    NoAnswer(String),
    /// Empty if there is nothing more to say.
    Pass(String),
}

impl Verdict {
    pub(crate) const PASS: Self = Self::Pass(String::new());

    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Fail(_) => "fail",
            Self::Unsupported(_) => "unsupported",
            Self::NoAnswer(_) => "no answer",
            Self::Pass(_) => "pass",
        }
    }

    pub(crate) fn note(&self) -> &str {
        match self {
            Self::Fail(note) | Self::Unsupported(note) | Self::NoAnswer(note) | Self::Pass(note) => note,
        }
    }

    pub(crate) const fn is_pass(&self) -> bool {
        matches!(self, Self::Pass(_))
    }

    pub(crate) const fn is_fail(&self) -> bool {
        matches!(self, Self::Fail(_))
    }
}

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) server: String,
    cells: BTreeMap<Feature, Verdict>,
}

impl Row {
    /// Nothing is known yet, and will not be if the time is up.
    pub(crate) fn new(server: String) -> Self {
        let mut row = Self { server, cells: BTreeMap::new() };
        row.fill(&Verdict::NoAnswer("the time was up".into()));
        row
    }

    /// The same everywhere.
    pub(crate) fn fill(&mut self, verdict: &Verdict) {
        Feature::ALL.into_iter().for_each(|feature| self.set(feature, verdict.clone()));
    }

    pub(crate) fn set(&mut self, feature: Feature, verdict: Verdict) {
        self.cells.insert(feature, verdict);
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = (Feature, &Verdict)> {
        self.cells.iter().map(|(feature, verdict)| (*feature, verdict))
    }

    /// Whether anything at all came from the server, right or wrong.
    pub(crate) fn has_answered(&self) -> bool {
        self.cells.values().any(|verdict| verdict.is_pass() || verdict.is_fail())
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.cells.values().any(Verdict::is_fail)
    }
}

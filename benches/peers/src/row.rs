//! The pieces of work.

use std::fmt;

/// One piece of work that all contestants do alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    ReadCheck,
    VerifyCheck,
    ReadSuccessV4,
    ReadSuccessV6,
    ReadData,
    Truncated,
    PastEnd,
    Noise,
    UnknownRequired,
    ManyUnknown,
    ManyUsernames,
    WriteCheck,
    WriteSuccess,
    ParseOffer,
    WriteOffer,
    ParseLarge,
    WriteLarge,
    Parse50,
    Parse400,
    WrapChannel,
    UnwrapChannel,
    WrapSend,
    UnwrapData,
    RelayOut,
    RelayIn,
}

impl Row {
    pub const ALL: [Self; 25] = [
        Self::ReadCheck,
        Self::VerifyCheck,
        Self::ReadSuccessV4,
        Self::ReadSuccessV6,
        Self::ReadData,
        Self::Truncated,
        Self::PastEnd,
        Self::Noise,
        Self::UnknownRequired,
        Self::ManyUnknown,
        Self::ManyUsernames,
        Self::WriteCheck,
        Self::WriteSuccess,
        Self::ParseOffer,
        Self::WriteOffer,
        Self::ParseLarge,
        Self::WriteLarge,
        Self::Parse50,
        Self::Parse400,
        Self::WrapChannel,
        Self::UnwrapChannel,
        Self::WrapSend,
        Self::UnwrapData,
        Self::RelayOut,
        Self::RelayIn,
    ];

    /// Short, to be asked for on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadCheck => "1a",
            Self::VerifyCheck => "1b",
            Self::ReadSuccessV4 => "1c-v4",
            Self::ReadSuccessV6 => "1c-v6",
            Self::ReadData => "1d",
            Self::Truncated => "1e-truncated",
            Self::PastEnd => "1e-past-end",
            Self::Noise => "1e-noise",
            Self::UnknownRequired => "1e-unknown-required",
            Self::ManyUnknown => "1e-64k-unknown",
            Self::ManyUsernames => "1e-64k-username",
            Self::WriteCheck => "2-request",
            Self::WriteSuccess => "2-success",
            Self::ParseOffer => "sdp-parse",
            Self::WriteOffer => "sdp-write",
            Self::ParseLarge => "sdp-parse-large",
            Self::WriteLarge => "sdp-write-large",
            Self::Parse50 => "sdp-parse-50",
            Self::Parse400 => "sdp-parse-400",
            Self::WrapChannel => "turn-wrap-channel",
            Self::UnwrapChannel => "turn-unwrap-channel",
            Self::WrapSend => "turn-wrap-send",
            Self::UnwrapData => "turn-unwrap-data",
            Self::RelayOut => "turn-relay-out",
            Self::RelayIn => "turn-relay-in",
        }
    }

    /// Whether its name begins like one of these; if there are none, yes.
    pub fn is_among(self, beginnings: &[String]) -> bool {
        beginnings.is_empty() || beginnings.iter().any(|beginning| self.name().starts_with(beginning))
    }

    /// Whether once is enough to count instructions.
    pub fn is_large(self) -> bool {
        matches!(
            self,
            Self::ManyUnknown
                | Self::ManyUsernames
                | Self::ParseLarge
                | Self::WriteLarge
                | Self::Parse50
                | Self::Parse400
        )
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::ReadCheck => "decode an ICE check of 92 bytes and read all its attributes",
            Self::VerifyCheck => "the same, with MESSAGE-INTEGRITY and FINGERPRINT verified",
            Self::ReadSuccessV4 => "decode a Binding success and read XOR-MAPPED-ADDRESS, IPv4",
            Self::ReadSuccessV6 => "the same, IPv6",
            Self::ReadData => "decode a Data indication of 1,200 bytes and read peer and data",
            Self::Truncated => "the check cut to 50 bytes",
            Self::PastEnd => "an attribute that ends behind the message",
            Self::Noise => "1,200 bytes that are no STUN",
            Self::UnknownRequired => "the check with three unknown comprehension-required attributes",
            Self::ManyUnknown => "65,552 bytes: 16,383 unknown attributes, read like a check",
            Self::ManyUsernames => "65,548 bytes: 8,191 times USERNAME, read like a check",
            Self::WriteCheck => "encode the check, MESSAGE-INTEGRITY and FINGERPRINT included",
            Self::WriteSuccess => "encode a Binding success of 64 bytes, likewise",
            Self::ParseOffer => "parse a browser's data-channel offer",
            Self::WriteOffer => "write it again",
            Self::ParseLarge => "parse an offer of 100 sections, audio and video in turn",
            Self::WriteLarge => "write it again",
            Self::Parse50 => "growth: parse 50 such sections",
            Self::Parse400 => "growth: parse 400 such sections",
            Self::WrapChannel => {
                "a client's 1,200 bytes for a peer, as ChannelData; one after the other for many peers"
            }
            Self::UnwrapChannel => "1,200 bytes of a peer, out of ChannelData",
            Self::WrapSend => "1,200 bytes for a peer, as a Send indication",
            Self::UnwrapData => "1,200 bytes of a peer, out of a Data indication",
            Self::RelayOut => "a server's ChannelData from a client to its peer, beside other allocations",
            Self::RelayIn => "a datagram of a peer to a client, as ChannelData, beside other allocations",
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

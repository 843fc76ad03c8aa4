//! Where tshark and we differ for a reason. All else that differs is a fault, and so is a reason that is needed no more.
//!
//! Seen with tshark 4.0; what a later one mends goes from here.

/// Messages that only one of the two takes for one.
pub(crate) const SAMPLES: &[(&str, &str)] = &[
    (BEYOND, "tshark leaves messages that begin with 0x04 and up to other protocols (RFC 7983)"),
    ("channel-5000", "tshark takes 0x4000 to 0x7fff for channels (RFC 5766), RFC 8656 no more than 0x4fff"),
    ("attr-overrun-1", CUT),
    ("attr-overrun-fffc-optional", CUT),
];

/// Any message of such a method.
pub(crate) const BEYOND: &str = "a method above 0x0ff";

const CUT: &str = "tshark shows what there is of the attribute and does not complain";

/// Attributes that tshark does not take apart: it shows their bytes, and those are compared.
pub(crate) const OPAQUE: &[(&str, &str)] = &[
    ("MESSAGE-INTEGRITY-SHA256", BYTES),
    ("USERHASH", BYTES),
    ("ALTERNATE-DOMAIN", BYTES),
    ("ADDRESS-ERROR-CODE", BYTES),
    ("ADDITIONAL-ADDRESS-FAMILY", BYTES),
    ("ACCESS-TOKEN", BYTES),
    ("THIRD-PARTY-AUTHORIZATION", BYTES),
    ("CONNECTION-ID", BYTES),
    ("MOBILITY-TICKET", BYTES),
    ("PADDING", BYTES),
    ("TRANSACTION_TRANSMIT_COUNTER", BYTES),
    ("TURN-LOGGING-ID", BYTES),
    ("GOOG-LAST-ICE-CHECK-RECEIVED", BYTES),
    ("GOOG-MISC-INFO", BYTES),
    ("GOOG-MESSAGE-INTEGRITY-32", BYTES),
    ("GOOG-OBSOLETE-1", BYTES),
    ("GOOG-CONNECTION-ID", BYTES),
    ("GOOG-DELTA", BYTES),
    ("GOOG-DELTA-ACK", BYTES),
    ("GOOG-DELTA-SYNC-REQ", UNKNOWN),
    ("META-DTLS-IN-STUN", UNKNOWN),
    ("META-DTLS-IN-STUN-ACK", UNKNOWN),
    ("RETRANSMIT-COUNT", UNKNOWN),
    ("NOMINATION", "tshark knows the name that IANA gave the number, and shows the bytes"),
];

const BYTES: &str = "tshark knows the name and shows the bytes";
const UNKNOWN: &str = "tshark does not know it";

/// What tshark reads otherwise than it is defined: attributes, or one message.
pub(crate) const MISREAD: &[(&str, &str)] = &[
    ("RESPONSE-PORT", "tshark shows the first half of the cookie (RFC 5780 §7.5)"),
    ("ICMP", "tshark reads the type from the reserved bits (RFC 8656 §18.13)"),
    ("PASSWORD-ALGORITHMS parameters", "tshark stops behind the first algorithm that has parameters"),
    ("errcode-bad-utf8", "we show the reason as far as it is UTF-8, tshark puts signs for the rest"),
];

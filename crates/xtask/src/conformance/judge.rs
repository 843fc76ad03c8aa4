//! What answers show: from events and bytes to verdicts.

use std::net::SocketAddr;

use floe_stun::attribute::{
    Attribute, ErrorCode, MappedAddress, OtherAddress, ResponseOrigin, Software, UnknownAttributes,
    XorMappedAddress,
};
use floe_stun::{BindingEvent, Class, Dropped, Drops, Message};

use super::row::Verdict;

/// How a Binding client fared, what it dropped, how many bytes came at all, and whether they came on a stream.
pub(crate) fn binding(event: Option<BindingEvent>, drops: &Drops, heard: usize, is_stream: bool) -> Verdict {
    match event {
        Some(BindingEvent::Answered { .. }) => Verdict::PASS,
        Some(BindingEvent::Refused { code, reason }) => Verdict::Fail(refusal(code, &reason)),
        Some(BindingEvent::Redirected { to, .. }) => Verdict::Fail(format!("it sends us to {to}")),
        Some(BindingEvent::Unusable) => {
            Verdict::Fail("its answer has no address to read, or demands what nobody knows".into())
        }
        Some(BindingEvent::Unreachable) => Verdict::NoAnswer("there is no route to it from here".into()),
        Some(BindingEvent::ConnectionLost) => lost(drops, heard),
        _ => silence(drops, heard, is_stream),
    }
}

/// The stream ended.
pub(crate) fn lost(drops: &Drops, heard: usize) -> Verdict {
    match (drops.total(), heard) {
        (0, 0) => Verdict::NoAnswer("it closes the connection without an answer".into()),
        (0, _) => Verdict::Fail(format!("it closes the connection within its answer, after {heard} bytes")),
        _ => Verdict::Fail(no_answers(drops)),
    }
}

/// The time was up.
pub(crate) fn silence(drops: &Drops, heard: usize, is_stream: bool) -> Verdict {
    match (drops.total(), heard) {
        (0, heard) if is_stream && heard > 0 => {
            Verdict::Fail(format!("its answer does not end, {heard} bytes of it came"))
        }
        (0, _) => Verdict::NoAnswer("silence".into()),
        _ => Verdict::Fail(no_answers(drops)),
    }
}

fn no_answers(drops: &Drops) -> String {
    let what = |why: Dropped| match why {
        Dropped::NotStun => "no STUN",
        Dropped::Malformed => "malformed",
        Dropped::BadFingerprint => "with a wrong FINGERPRINT",
        Dropped::UnknownTransaction => "of another transaction",
        Dropped::WrongSource => "from another address than was asked",
        Dropped::UnexpectedMethod => "no response",
        _ => "of no use",
    };
    let reasons: Vec<_> = drops.iter().map(|(why, count)| format!("{count} {}", what(why))).collect();
    format!("what came is no answer: {}", reasons.join(", "))
}

fn refusal(code: u16, reason: &str) -> String {
    format!("it refuses with {code} {reason}").trim_end().to_owned()
}

/// An error response as the reason of a failure.
fn refused(answer: &Message<'_>) -> Option<String> {
    (answer.class() == Class::Error).then(|| match answer.get::<ErrorCode<'_>>() {
        Some(Ok(ErrorCode { code, reason })) => refusal(code, reason),
        _ => "it refuses without an ERROR-CODE that can be read".into(),
    })
}

fn judged(found: Result<String, String>) -> Verdict {
    found.map_or_else(Verdict::Fail, Verdict::Pass)
}

/// The answer to a request that was sent again is to be of the same kind (RFC 8489 §6.3.1).
pub(crate) fn repeated(first: &Message<'_>, second: &Message<'_>) -> Verdict {
    let kind = |answer: &Message<'_>| {
        let code = answer.find().map(|error: ErrorCode<'_>| error.code);
        (answer.class(), code, answer.find().map(|XorMappedAddress(mapped)| mapped))
    };
    match kind(first) == kind(second) {
        true => Verdict::PASS,
        false => Verdict::Fail("it answers a repeated request otherwise than the first".into()),
    }
}

pub(crate) fn unknown_optional(answer: &Message<'_>, _: SocketAddr) -> Verdict {
    judged(
        refused(answer)
            .map_or_else(|| Ok(String::new()), |why| Err(format!("{why}, for an attribute to ignore"))),
    )
}

pub(crate) fn unknown_required(answer: &Message<'_>, kind: u16) -> Verdict {
    let code = answer.find().map(|error: ErrorCode<'_>| error.code);
    let complaints = answer.get::<UnknownAttributes<'_>>();
    judged(match (answer.class(), code, complaints) {
        (Class::Success, ..) => Err(format!("it answers as if it understood {kind:#06x}, instead of 420")),
        (_, Some(420), Some(Ok(complaints))) if complaints.iter().any(|listed| listed == kind) => {
            Ok(String::new())
        }
        (_, Some(420), Some(Ok(_))) => Err(format!("its 420 does not list {kind:#06x}")),
        (_, Some(420), Some(Err(why))) => Err(format!("its 420: {why}")),
        (_, Some(420), None) => Err("its 420 has no UNKNOWN-ATTRIBUTES".into()),
        _ => Err(format!("{}, instead of 420", refused(answer).unwrap_or_default())),
    })
}

pub(crate) fn fingerprint(answer: &Message<'_>, _: SocketAddr) -> Verdict {
    judged(match (refused(answer), answer.fingerprint()) {
        (Some(why), _) => Err(why),
        (None, Some(true)) => Ok("answered with one".into()),
        (None, Some(false)) => Err("the FINGERPRINT of its answer is wrong".into()),
        (None, None) => Ok("answered without one".into()),
    })
}

/// `server` is the address that was asked.
pub(crate) fn xor_mapped_address(answer: &Message<'_>, server: SocketAddr) -> Verdict {
    judged(match (refused(answer), answer.get()) {
        (Some(why), _) => Err(why),
        (None, None) => Err("its answer has no XOR-MAPPED-ADDRESS".into()),
        (None, Some(Err(why))) => Err(why.to_string()),
        (None, Some(Ok(XorMappedAddress(mapped)))) if mapped.is_ipv4() != server.is_ipv4() => Err(format!(
            "XOR-MAPPED-ADDRESS is {}, though it was asked over {}",
            family(mapped),
            family(server)
        )),
        (None, Some(Ok(_))) => Ok(String::new()),
    })
}

const fn family(address: SocketAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

pub(crate) fn mapped_address(answer: &Message<'_>, _: SocketAddr) -> Verdict {
    let xor = answer.find().map(|XorMappedAddress(mapped)| mapped);
    match (answer.get(), xor) {
        (None, _) => Verdict::Unsupported("its answer has no MAPPED-ADDRESS".into()),
        (Some(Err(why)), _) => Verdict::Fail(why.to_string()),
        (Some(Ok(MappedAddress(plain))), Some(xor)) if plain != xor => Verdict::Fail(format!(
            "MAPPED-ADDRESS says {plain} and XOR-MAPPED-ADDRESS {xor}; a NAT may rewrite the first"
        )),
        (Some(Ok(_)), Some(_)) => Verdict::PASS,
        (Some(Ok(_)), None) => Verdict::Pass("alone, there is no XOR-MAPPED-ADDRESS".into()),
    }
}

pub(crate) fn software(answer: &Message<'_>, _: SocketAddr) -> Verdict {
    match answer.get() {
        None => Verdict::Unsupported("it does not say what it is".into()),
        Some(Ok(Software(name))) => Verdict::Pass(name.into()),
        Some(Err(why)) => Verdict::Fail(why.to_string()),
    }
}

/// RFC 3489 knew MAPPED-ADDRESS and nothing else for it.
pub(crate) fn rfc3489(answer: &Message<'_>, _: SocketAddr) -> Verdict {
    match (refused(answer), answer.has(MappedAddress::TYPE)) {
        (Some(why), _) => Verdict::Unsupported(why),
        (None, true) => Verdict::PASS,
        (None, false) => {
            Verdict::Fail("it answers a request without the cookie, without MAPPED-ADDRESS".into())
        }
    }
}

/// Where answers to CHANGE-REQUEST would come from, as far as the answer to a plain request is as RFC 5780 §6.1 has it.
pub(crate) fn other_address(answer: &Message<'_>, server: SocketAddr) -> Result<SocketAddr, Verdict> {
    let other = match answer.get() {
        None => return Err(Verdict::Unsupported("its answer has no OTHER-ADDRESS".into())),
        Some(Ok(OtherAddress(other))) => other,
        Some(Err(why)) => return Err(Verdict::Fail(why.to_string())),
    };
    let origin = answer.get().map(|origin| origin.map(|ResponseOrigin(origin)| origin));
    let wrong = match origin {
        None => Some("OTHER-ADDRESS without RESPONSE-ORIGIN".into()),
        Some(Err(why)) => Some(why.to_string()),
        Some(Ok(origin)) if origin != server => {
            Some(format!("RESPONSE-ORIGIN says {origin}, and the answer came from {server}"))
        }
        Some(Ok(_)) if !answer.has(MappedAddress::TYPE) => {
            Some("OTHER-ADDRESS without MAPPED-ADDRESS".into())
        }
        Some(Ok(_)) => None,
    };
    wrong.map_or(Ok(other), |why| Err(Verdict::Fail(why)))
}

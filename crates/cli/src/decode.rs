//! `floe decode`: what do these bytes say, or this text?
//!
//! ```text
//!   HEX, FILE or - ──source──▶ pcap or pcapng ──capture──▶ packet ──▶ UDP ─────────────────────▶┐
//!                     │                                        └────▶ TCP ──connections──▶ stream ─▶ message
//!                     └──sort──▶ digits or bytes ──────────────────────────────────────────────▶┘
//!                          └───▶ candidate lines, a description, a fragment ──▶ text
//! ```
//!
//! All ends in values of [`report`], which the printer shows as trees or as lines of JSON.

mod capture;
mod connections;
mod hex;
mod keys;
mod lines;
mod message;
mod packet;
pub(crate) mod report;
mod sort;
mod source;
mod stream;
mod text;
mod value;

use std::io::{self, Cursor, Read};

use crate::Decode;
use crate::failure::Failure;
use crate::print::decode::Printer;
use capture::Format;
use keys::Keys;
use report::{Decoded, Input, What};

/// Succeeds if all of it could be decoded.
pub(crate) fn run(options: &Decode) -> Result<(), Failure> {
    let keys = Keys::new(&options.keys)?;
    let mut out = Printer::new(options.json);
    let told = tell(options, &keys, &mut out);
    let told = told.or_else(|failure| tell_failure(failure, options, &mut out));
    let told = told.and_then(|()| out.flush().map_err(Failure::from));
    match told {
        Ok(()) if out.has_refused() => Err(Failure::Refused),
        // The reader has gone, and what it read was not all good.
        Err(Failure::Output(why)) if why.kind() == io::ErrorKind::BrokenPipe && out.has_refused() => {
            Err(Failure::Refused)
        }
        other => other,
    }
}

fn tell(options: &Decode, keys: &Keys, out: &mut Printer) -> Result<(), Failure> {
    let mut input = source::open(&options.input)?;
    if options.lines {
        return lines::tell(input, keys, out);
    }
    let start = source::start(&mut *input)?;
    if let Some(format) = Format::of(&start) {
        return capture::tell(format, Cursor::new(start).chain(input), keys, out);
    }
    let bytes = [start, source::read(&mut *input, MAX_INPUT)?].concat();
    if bytes.len() > MAX_INPUT {
        let why = format!("expected at most {MAX_INPUT} bytes of anything but a capture and --lines");
        out.tell(&Decoded::bad(Input::None, What::Unknown, "too-long", &why))?;
    } else if options.stream {
        for decoded in sort::decode_stream(&bytes, keys) {
            out.tell(&decoded)?;
        }
    } else {
        for decoded in sort::decode(&bytes, keys) {
            out.tell(&decoded)?;
        }
    }
    Ok(())
}

/// The largest message has 65,552 bytes, and the largest description that is read four times as many.
const MAX_INPUT: usize = 1 << 20;

/// Programs hear of an input that cannot be read in the words of all others.
fn tell_failure(failure: Failure, options: &Decode, out: &mut Printer) -> Result<(), Failure> {
    if let (Failure::Input { why }, true) = (&failure, options.json) {
        out.tell(&Decoded::bad(Input::None, What::Unknown, "unreadable", why))?;
        out.flush()?;
    }
    Err(failure)
}

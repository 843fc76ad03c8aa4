//! Where the input comes from: the argument itself, a file, or stdin.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Cursor, Read};

use super::sort;
use crate::failure::Failure;

/// Opens what the argument names, or gives the argument where it says it all itself.
pub(crate) fn open(argument: &OsStr) -> Result<Box<dyn Read>, Failure> {
    let text = argument.to_str();
    if argument == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    if let Some(digits) = text.filter(|text| sort::is_hex(text)) {
        return Ok(Box::new(Cursor::new(digits.to_owned())));
    }
    match (file(argument), text.filter(|text| sort::is_text(text))) {
        (Ok(file), _) => Ok(Box::new(file)),
        (Err(_), Some(text)) => Ok(Box::new(Cursor::new(text.to_owned()))),
        (Err(why), None) => Err(Failure::Input {
            why: format!(
                "{}: {why}; expected hexadecimal digits, the name of a file, or - for stdin",
                argument.to_string_lossy()
            ),
        }),
    }
}

fn file(name: &OsStr) -> io::Result<File> {
    let file = File::open(name)?;
    if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

/// What of the input can be looked at before it is decided how to read it.
pub(crate) fn start(input: &mut dyn Read) -> Result<Vec<u8>, Failure> {
    let mut start = read(input, START)?;
    // The reader of pcapng wants the first block whole, and pipes give what they have.
    if let [0x0A, 0x0D, 0x0D, 0x0A, l0, l1, l2, l3, magic, ..] = *start {
        let bytes = [l0, l1, l2, l3];
        let length = if magic == 0x1A { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let rest = usize::try_from(length).unwrap_or(usize::MAX).min(1 << 16).saturating_sub(start.len());
        start.extend(read(input, rest)?);
    }
    Ok(start)
}

/// The header of a pcap file has 24 bytes.
const START: usize = 24;

/// So many bytes, or what there is of them.
pub(crate) fn read(input: &mut dyn Read, most: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    input.take(most).read_to_end(&mut bytes).map_err(|why| Failure::Input { why: why.to_string() })?;
    Ok(bytes)
}

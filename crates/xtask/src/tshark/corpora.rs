//! Messages and captures that others made: those of the project, and those of the folder `FLOE_CORPORA` if it is set.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value;

use super::{Sample, in_project};

const FILES: [&str; 3] =
    ["torture/stun.jsonl", "torture/channeldata.jsonl", "real/browsers-2026-messages.jsonl"];

pub(crate) fn messages() -> anyhow::Result<Vec<Sample>> {
    let mut all = Vec::new();
    for file in FILES {
        let path = in_project("tests/corpora").join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for (n, line) in text.lines().enumerate() {
            let case: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
            let id = case["id"].as_str().map_or_else(|| format!("{file} {}", n + 1), str::to_owned);
            // Two cases of 64 KiB have none, and are longer than any datagram; some are pieces of a stream.
            let is_piece = case["kind"] == "channeldata" && case["transport"] == "tcp";
            let Some(bytes) = case["hex"].as_str().filter(|_| !is_piece).and_then(from_hex) else { continue };
            all.push(Sample { name: id, bytes });
        }
    }
    all.extend(vectors()?);
    Ok(all)
}

fn vectors() -> anyhow::Result<Vec<Sample>> {
    let folder = in_project("tests/corpora/vectors");
    let mut all = Vec::new();
    for file in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "hex") {
            let digits = fs::read_to_string(&path)?;
            let bytes = from_hex(digits.trim()).with_context(|| format!("no digits: {}", path.display()))?;
            all.push(Sample { name: path.file_stem().unwrap_or_default().display().to_string(), bytes });
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// Captures of real traffic, where there are any.
pub(crate) fn captures() -> anyhow::Result<Vec<PathBuf>> {
    let Some(folder) = std::env::var_os("FLOE_CORPORA").map(PathBuf::from) else {
        println!("  NOT COMPARED: captures, for FLOE_CORPORA names no folder with any");
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for folder in ["pcap/browsers-2026", "pcap/ndpi"].map(|name| folder.join(name)) {
        let files = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        all.extend(files.filter_map(Result::ok).map(|file| file.path()));
    }
    all.sort();
    Ok(all)
}

pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

//! Every committed seed goes through every fuzz target, and so does every file of the corpora: what was mended once
//! stays mended, and nothing takes long.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../fuzz/src/lib.rs"]
#[allow(
    unreachable_pub,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "in fuzz/ it is a library that may fail, and that tells how long it took"
)]
mod targets;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 20] = [
    ("stun_decode", targets::stun_decode),
    ("stun_attributes", targets::stun_attributes),
    ("stun_signed", targets::stun_signed),
    ("stun_roundtrip", targets::stun_roundtrip),
    ("channel_data", targets::channel_data),
    ("stream_cutter", targets::stream_cutter),
    ("demux", targets::demux),
    ("uri", targets::uri),
    ("uri_roundtrip", targets::uri_roundtrip),
    ("resolve", targets::resolve),
    ("opaque_string", targets::opaque_string),
    ("candidate", targets::candidate),
    ("candidate_roundtrip", targets::candidate_roundtrip),
    ("sdp", targets::sdp),
    ("sdp_roundtrip", targets::sdp_roundtrip),
    ("sdp_fragment", targets::sdp_fragment),
    ("sdp_fragment_roundtrip", targets::sdp_fragment_roundtrip),
    ("turn_client", targets::turn_client),
    ("turn_server", targets::turn_server),
    ("agent", targets::agent),
];

#[test]
fn every_seed_passes_every_target() {
    let mut seeds = files(&fuzz().join("corpus"));
    assert!(seeds.len() > 300, "only {} seeds", seeds.len());
    seeds.extend(files(&fuzz().with_file_name("tests").join("corpora")));
    // Lists of cases and words about them are no seeds; what they hold is in fuzz/corpus.
    seeds.retain(|path| {
        !["json", "jsonl", "md", "txt", "license"].iter().any(|no| path.extension() == Some(no.as_ref()))
    });
    let mut seeds: BTreeSet<Vec<u8>> = seeds.iter().map(|path| fs::read(path).unwrap()).collect();
    seeds.extend([largest(|_| 0x8022), largest(|n| 0x7000 + n % 0xFFF)]);
    for seed in &seeds {
        for (name, target) in TARGETS {
            println!("{name} < {}", seed.escape_ascii()); // shown only if the target panics
            // This build is not optimised.
            targets::timed(4 * targets::LIMIT, target, seed);
        }
    }
}

#[test]
fn every_target_is_replayed() {
    let files = fs::read_dir(fuzz().join("fuzz_targets")).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().path().file_stem().unwrap().to_owned()).collect();
    let mut replayed = TARGETS.map(|(name, _)| name);
    names.sort();
    replayed.sort_unstable();
    assert_eq!(names, replayed);
}

/// The largest message there is: as many empty attributes as fit.
fn largest(kind: impl Fn(u16) -> u16) -> Vec<u8> {
    let mut bytes = b"\x00\x01\xff\xfc\x21\x12\xa4\x42abcdefghijkl".to_vec();
    for n in 0..0x3FFF {
        bytes.extend(kind(n).to_be_bytes());
        bytes.extend([0, 0]);
    }
    bytes
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

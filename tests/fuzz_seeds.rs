//! Every committed seed goes through every fuzz target: what was mended once stays mended.

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
#[allow(
    unreachable_pub,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in fuzz/ it is a library that may fail"
)]
mod targets;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 13] = [
    ("stun_decode", targets::stun_decode),
    ("stun_roundtrip", targets::stun_roundtrip),
    ("channel_data", targets::channel_data),
    ("stream_cutter", targets::stream_cutter),
    ("demux", targets::demux),
    ("uri", targets::uri),
    ("candidate", targets::candidate),
    ("sdp", targets::sdp),
    ("sdp_fragment", targets::sdp_fragment),
    ("sdp_roundtrip", targets::sdp_roundtrip),
    ("turn_client", targets::turn_client),
    ("turn_server", targets::turn_server),
    ("agent", targets::agent),
];

#[test]
fn every_seed_passes_every_target() {
    let mut seeds = 0;
    for folder in fs::read_dir(fuzz().join("corpus")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let seed = fs::read(&path).unwrap();
            for (name, target) in TARGETS {
                println!("{name} < {}", path.display()); // shown only if the target panics
                target(&seed);
            }
            seeds += 1;
        }
    }
    assert!(seeds > 100, "only {seeds} seeds");
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

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

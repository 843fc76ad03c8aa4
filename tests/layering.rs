//! The arrows between our crates go strictly down, the protocol crates lean on few others, and none on a server.
//!
//! The map is in ARCHITECTURE.md. A crate that is not in [`LEVELS`] fails the test: it has to be put in its place.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

const LEVELS: [(&str, u8); 8] = [
    ("floe-cli", 5),
    ("floe-tokio", 4),
    ("floe-ice-agent", 2),
    ("floe-turn-client", 1),
    ("floe-turn-server", 1),
    ("floe-stun", 0),
    ("floe-sdp", 0),
    ("floe-netsim", 0),
];

/// They may use everything, and nothing may use them.
const TESTS_AND_TOOLS: [&str; 2] = ["floe-house", "xtask"];

/// Crates up to this level are protocols: no sockets, no clock, no threads, no runtime.
const HIGHEST_PURE_LEVEL: u8 = 2;

/// What a pure crate may name in its manifest, apart from ours.
const ALLOWED: [&str; 15] = [
    // Passwords for a limited time are base64.
    "base64",
    "crc",
    // Tables of the server, where packets find their allocation in constant time.
    "hashbrown",
    "hmac",
    "md-5",
    // OpaqueString (RFC 8265), behind a feature of floe-stun.
    "precis-profiles",
    "rand_chacha",
    "rand_core",
    "sha1",
    "sha2",
    "slotmap",
    "subtle",
    "thiserror",
    "tracing",
    "zeroize",
];

/// What must not come to a pure crate by any detour. libc comes with the CPU detection of the hashes.
const BANNED: [&str; 11] = [
    "async-std",
    "env_logger",
    "futures-core",
    "getrandom",
    "log",
    "mio",
    "rand",
    "smol",
    "socket2",
    "tokio",
    "tracing-subscriber",
];

#[test]
fn every_crate_has_its_place() {
    let metadata = metadata();
    let unplaced: Vec<_> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| package.name.as_str())
        .filter(|name| level(name).is_none() && !TESTS_AND_TOOLS.contains(name))
        .collect();
    assert!(unplaced.is_empty(), "put them into LEVELS: {unplaced:?}");
}

#[test]
fn every_arrow_goes_strictly_down() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in placed(&metadata) {
        for name in named_by(package).filter(|name| is_ours(&metadata, name)) {
            if level(name).is_none_or(|below| Some(below) >= level(&package.name)) {
                wrong.push(format!("{} -> {name}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn pure_crates_name_only_what_is_on_the_list() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in placed(&metadata).filter(|package| is_pure(package)) {
        for name in named_by(package) {
            if !is_ours(&metadata, name) && !ALLOWED.contains(&name) {
                wrong.push(format!("{} -> {name}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn nothing_impure_comes_to_a_pure_crate_by_a_detour() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in placed(&metadata).filter(|package| is_pure(package)) {
        let all = reachable(&metadata, &package.id);
        assert!(all.len() > 1, "{} needs nothing at all: is the graph read right?", package.name);
        wrong.extend(
            BANNED.iter().filter(|banned| all.contains(**banned)).map(|b| format!("{} -> {b}", package.name)),
        );
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// STUN-8-1: whoever owns a name may give it up, and no release can follow.
#[test]
fn no_source_names_a_server_of_somebody() {
    let (mut open, mut uris, mut wrong) = (vec![root().join("crates")], 0, Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                let hosts = ["stun:", "stuns:", "turn:", "turns:"].map(|scheme| source.split(scheme).skip(1));
                for host in hosts.into_iter().flatten().map(host) {
                    uris += 1;
                    if !is_nobodys(host) {
                        wrong.push(format!("{}: {host}", path.display()));
                    }
                }
            }
        }
    }
    assert!(uris > 50, "only {uris} URIs: are they still found?");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn host(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !".-".contains(c)).next().unwrap_or_default()
}

/// Names and addresses that were set apart (RFC 2606, RFC 5737), and what is no whole name.
fn is_nobodys(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let documented = ["192.0.2.", "198.51.100.", "203.0.113.", "127."];
    let (domain, last) = host.rsplit_once('.').unwrap_or_default();
    !host.contains('.')
        || documented.iter().any(|net| host.starts_with(net))
        || ["example", "invalid", "test", "localhost"].contains(&last)
        || ["org", "com", "net"].contains(&last) && (domain == "example" || domain.ends_with(".example"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).exec().unwrap()
}

fn placed(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    metadata.workspace_packages().into_iter().filter(|package| level(&package.name).is_some())
}

fn level(name: &str) -> Option<u8> {
    LEVELS.iter().find(|(ours, _)| *ours == name).map(|(_, level)| *level)
}

fn is_pure(package: &Package) -> bool {
    level(&package.name).is_some_and(|level| level <= HIGHEST_PURE_LEVEL)
}

fn is_ours(metadata: &Metadata, name: &str) -> bool {
    metadata.workspace_packages().iter().any(|package| package.name.as_str() == name)
}

/// What the manifest names, whatever the features; tests may use what they like.
fn named_by(package: &Package) -> impl Iterator<Item = &str> {
    let kinds = |kind| kind != DependencyKind::Development;
    package.dependencies.iter().filter(move |needs| kinds(needs.kind)).map(|needs| needs.name.as_str())
}

/// Names of all that is built into a package, itself included.
fn reachable<'m>(metadata: &'m Metadata, start: &PackageId) -> BTreeSet<&'m str> {
    let nodes: BTreeMap<_, _> =
        metadata.resolve.as_ref().unwrap().nodes.iter().map(|node| (&node.id, node)).collect();
    let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let is_built_in = |kinds: &[cargo_metadata::DepKindInfo]| {
            kinds.iter().any(|info| info.kind == DependencyKind::Normal)
        };
        open.extend(nodes[id].deps.iter().filter(|needs| is_built_in(&needs.dep_kinds)).map(|n| &n.pkg));
    }
    seen.into_iter().map(|id| metadata[id].name.as_str()).collect()
}

//! RFCS.md is a map, and this checks that the land is as it says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Prefix of the ids of a document, and how its tables are headed.
const DOCUMENTS: [(&str, &str); 37] = [
    ("STUN", "RFC 8489"),
    ("TURN", "RFC 8656"),
    ("TURNS", "RFC 8656"),
    ("TTCP", "RFC 6062"),
    ("TMOB", "RFC 8016"),
    ("ICE", "RFC 8445"),
    ("TRK", "RFC 8838"),
    ("PAC", "RFC 8863"),
    ("CON", "RFC 7675"),
    ("ITCP", "RFC 6544"),
    ("ISDP", "RFC 8839"),
    ("TSDP", "RFC 8840"),
    ("SDP", "RFC 8866"),
    ("OA", "RFC 3264"),
    ("MID", "RFC 5888"),
    ("JSEP", "RFC 9429"),
    ("SCTP", "RFC 8841"),
    ("DTLS", "RFC 8842"),
    ("FP", "RFC 8122"),
    ("BUN", "RFC 9143"),
    ("DC", "RFC 8831"),
    ("DCEP", "RFC 8832"),
    ("DMX", "RFC 9443"),
    ("URI", "RFC 7064"),
    ("TURI", "RFC 7065"),
    ("RES", "RFC 5928"),
    ("STLS", "RFC 7350"),
    ("DUAL", "RFC 8421"),
    ("RTT", "RFC 7982"),
    ("OAU", "RFC 7635"),
    ("NBD", "RFC 5780"),
    ("TRN", "RFC 8835"),
    ("IPH", "RFC 8828"),
    ("MDNS", "draft-ietf-mmusic-mdns-ice-candidates"),
    ("RENOM", "draft-thatcher-ice-renomination"),
    ("SPED", "draft-hancke-webrtc-sped"),
    ("TREST", "draft-uberti-behave-turn-rest"),
];

#[test]
fn every_row_is_well_formed_and_stands_under_its_document() {
    let wrong = complaints(|row| match row.prefix_and_section() {
        None => Some("the id is not PREFIX-section-number".to_owned()),
        Some((prefix, _)) => match DOCUMENTS.iter().find(|(known, _)| *known == prefix) {
            None => Some(format!("no document has the prefix {prefix}")),
            Some((_, document)) => (!row.heading.contains(document))
                .then(|| format!("belongs under {document}, stands under {:?}", row.heading)),
        },
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_id_stands_twice() {
    let mut seen = BTreeSet::new();
    let wrong = complaints(|row| (!seen.insert(row.id.clone())).then(|| "stands twice".to_owned()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_cited_file_exists() {
    let wrong = complaints(|row| {
        let missing: Vec<&String> = row.code.iter().filter(|file| !root().join(file).is_file()).collect();
        (!missing.is_empty()).then(|| format!("no such code: {missing:?}"))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_cited_test_exists() {
    let functions = functions();
    let wrong = complaints(|row| {
        let missing: Vec<&String> = row.tests.iter().filter(|test| !is_there(test, &functions)).collect();
        (!missing.is_empty()).then(|| format!("no such test: {missing:?}"))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_status_has_what_it_claims() {
    let deviations = fs::read_to_string(root().join("docs/deviations.md")).unwrap();
    let wrong = complaints(|row| {
        let cited = !row.code.is_empty() && !row.tests.is_empty();
        match row.status.as_str() {
            "done" if cited => None,
            "done" => Some("done, and yet no code or no test is cited".to_owned()),
            "excepted (docs/deviations.md)" if deviations.contains(&row.id) => None,
            "excepted (docs/deviations.md)" => Some("docs/deviations.md does not name it".to_owned()),
            partly if partly.starts_with("partly (") && partly.ends_with(')') => None,
            other => Some(format!("status {other:?} is neither done, partly (why) nor excepted")),
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Row {
    line: usize,
    heading: String,
    id: String,
    code: Vec<String>,
    tests: Vec<String>,
    status: String,
}

impl Row {
    /// `STUN-6.2.1-3` is the third row of section 6.2.1.
    fn prefix_and_section(&self) -> Option<(&str, &str)> {
        let (rest, number) = self.id.rsplit_once('-')?;
        let (prefix, section) = rest.split_once('-')?;
        let mut parts = section.split('.');
        let first = parts.next()?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_appendix = first.len() == 1 && first.bytes().all(|byte| byte.is_ascii_uppercase());
        let holds = (is_number(first) || is_appendix) && parts.all(is_number) && is_number(number);
        holds.then_some((prefix, section))
    }
}

fn complaints(mut judge: impl FnMut(&Row) -> Option<String>) -> Vec<String> {
    let rows = rows();
    assert!(rows.len() > 50, "only {} rows: is the table still read right?", rows.len());
    let complaint = |row: &Row| judge(row).map(|what| format!("RFCS.md:{}: {}: {what}", row.line, row.id));
    rows.iter().filter_map(complaint).collect()
}

/// The rows of all tables: `| id | requirement | code | test | status |`.
fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("RFCS.md")).unwrap();
    let (mut heading, mut rows) = (String::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.to_owned();
        }
        let Some(cells) = line.strip_prefix('|').and_then(|rest| rest.strip_suffix('|')) else { continue };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        let [id, requirement, code, tests, status] = cells[..] else {
            panic!("RFCS.md:{}: {} cells, a row has five", at + 1, cells.len())
        };
        if id == "id" || id.starts_with("--") {
            continue;
        }
        assert!(!requirement.is_empty(), "RFCS.md:{}: no requirement", at + 1);
        rows.push(Row {
            line: at + 1,
            heading: heading.clone(),
            id: id.to_owned(),
            code: quoted(code),
            tests: quoted(tests),
            status: status.to_owned(),
        });
    }
    rows
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A test is cited by its name, or as `file.rs::name` where the name alone would be ambiguous.
fn is_there(test: &str, functions: &BTreeMap<PathBuf, BTreeSet<String>>) -> bool {
    match test.rsplit_once("::") {
        Some((file, name)) => functions.get(&root().join(file)).is_some_and(|names| names.contains(name)),
        None => functions.values().any(|names| names.contains(test)),
    }
}

/// Names of the functions of every Rust file of the workspace.
fn functions() -> BTreeMap<PathBuf, BTreeSet<String>> {
    let (mut open, mut found) = (vec![root().join("crates"), root().join("tests")], BTreeMap::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let names = function_names(&fs::read_to_string(&path).unwrap());
                found.insert(path, names);
            }
        }
    }
    found
}

fn function_names(source: &str) -> BTreeSet<String> {
    let after_fn = source.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")
    });
    after_fn.filter_map(|rest| rest.split(['(', '<']).next()).map(str::to_owned).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

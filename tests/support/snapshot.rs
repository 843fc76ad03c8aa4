//! Tables that a person can review: compared with the committed file, rewritten when asked.
#![expect(clippy::expect_used, reason = "a snapshot that cannot be written is a failed test")]

use std::path::Path;

/// Compares `actual` with `tests/snapshots/NAME`; with `UPDATE_SNAPSHOTS=1` writes it there instead.
///
/// # Panics
///
/// If they differ, with both texts.
pub fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        return std::fs::write(&path, actual).expect("tests/snapshots can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "tests/snapshots/{name} differs; if that is right, run again with UPDATE_SNAPSHOTS=1\n\
         --- expected\n{expected}\n--- actual\n{actual}"
    );
}

//! Tables that a person can review: compared with the committed file, rewritten when asked.

use std::path::Path;

/// Compares `actual` with `tests/snapshots/NAME`; with `UPDATE_SNAPSHOTS=1` writes it there instead.
///
/// # Panics
///
/// If they differ, with both texts.
pub fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, actual)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "tests/snapshots/{name} differs; if that is right, run again with UPDATE_SNAPSHOTS=1\n\
         --- expected\n{expected}\n--- actual\n{actual}"
    );
}

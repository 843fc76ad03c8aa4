//! The gate of the corpora: every file that is a STUN message, ChannelData, a candidate line or a session description
//! gets its verdict.
//!
//! Each set is a test of its own that says how many files it judged. Sets that are not ours to pass on are read from
//! the folder that `FLOE_CORPORA` names; without it they show as ignored, not as passed. Where a corpus records no
//! verdict, `tests/snapshots/corpora` holds ours, to be renewed with `UPDATE_SNAPSHOTS=1` and read by a person.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a judge that cannot judge fails the gate, and one that can tells how much was judged"
)]

mod above;
mod browsers;
mod captures;
mod folders;
mod sets;
mod vectors;
mod verdict;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use folders::{Folder, Place};
use sets::{SETS, Set};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let outside = Folder::outside();
    let mut trials: Vec<Trial> = SETS.iter().map(|set| judged(set, outside.as_ref())).collect();
    trials.push(Trial::test("every file of ours has its judge", || {
        sets::check_complete(&Folder::inside(), Place::Inside);
        Ok(())
    }));
    let everything = outside.clone();
    let complete =
        Trial::test("every file of FLOE_CORPORA has its judge, and the copies are true", move || {
            let outside = everything.expect(WANTED);
            sets::check_complete(&outside, Place::Outside);
            sets::check_copies(&outside);
            Ok(())
        });
    trials.push(complete.with_ignored_flag(outside.is_none()));
    trials.extend(above::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

const WANTED: &str = "FLOE_CORPORA names the folder of the corpora";

/// One set as a test; ignored if its folder is not here.
fn judged(set: &'static Set, outside: Option<&Folder>) -> Trial {
    let folder = match set.place {
        Place::Inside => Some(Folder::inside()),
        Place::Outside => outside.cloned(),
    };
    let kind = format!("{}, {} files", set.place, set.count);
    let absent = folder.is_none();
    let trial = Trial::test(set.name, move || {
        let files = folder.expect(WANTED).files(set.name);
        assert_eq!(files.len(), set.count, "files in {}", set.name);
        (set.judge)(set.name, &files);
        Ok(())
    });
    trial.with_kind(kind).with_ignored_flag(absent)
}

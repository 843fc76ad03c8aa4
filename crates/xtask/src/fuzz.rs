//! Fuzzing for a while, two targets at a time. Committed seeds are replayed by the ordinary tests; this looks for what
//! nobody thought of.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::host::{self, works};
use crate::step::{CannotRun, NotRun};

/// A fuzz target, and what helps the fuzzer with it.
#[derive(Debug)]
struct Target {
    name: &'static str,
    /// Folders of seeds, beside that of its own name in `fuzz/corpus`.
    seeds: &'static [&'static str],
    /// A dictionary in `fuzz/dict`.
    words: Option<&'static str>,
    /// Bytes of the longest input.
    most: usize,
}

const DATAGRAMS: &[&str] = &["fuzz/corpus/stun", "tests/corpora/stun", "tests/corpora/turn"];
const DESCRIPTIONS: &[&str] = &["fuzz/corpus/sdp", "tests/corpora/sdp"];

const TARGETS: &[Target] = &[
    Target { name: "stun_decode", seeds: DATAGRAMS, words: Some("stun"), most: 2048 },
    Target { name: "stun_attributes", seeds: DATAGRAMS, words: Some("stun"), most: 1024 },
    Target { name: "stun_signed", seeds: &[], words: None, most: 2048 },
    Target { name: "stun_roundtrip", seeds: DATAGRAMS, words: Some("stun"), most: 2048 },
    Target { name: "channel_data", seeds: &[], words: None, most: 512 },
    Target {
        name: "stream_cutter",
        seeds: &["fuzz/corpus/stream", "tests/corpora/stun"],
        words: Some("stun"),
        most: 4096,
    },
    Target { name: "demux", seeds: DATAGRAMS, words: None, most: 128 },
    Target { name: "uri", seeds: &[], words: Some("uri"), most: 512 },
    Target { name: "uri_roundtrip", seeds: &[], words: None, most: 512 },
    Target { name: "resolve", seeds: &[], words: None, most: 4096 },
    Target { name: "opaque_string", seeds: &[], words: None, most: 512 },
    Target { name: "candidate", seeds: &["tests/corpora/candidate"], words: Some("sdp"), most: 5000 },
    Target { name: "candidate_roundtrip", seeds: &[], words: Some("sdp"), most: 1024 },
    Target { name: "sdp", seeds: DESCRIPTIONS, words: Some("sdp"), most: 16_384 },
    Target { name: "sdp_roundtrip", seeds: DESCRIPTIONS, words: Some("sdp"), most: 16_384 },
    Target { name: "sdp_fragment", seeds: DESCRIPTIONS, words: Some("sdp"), most: 8192 },
    Target { name: "sdp_fragment_roundtrip", seeds: &[], words: Some("sdp"), most: 4096 },
    Target { name: "turn_client", seeds: &[], words: None, most: 2048 },
    Target { name: "turn_server", seeds: &[], words: None, most: 2048 },
    Target { name: "agent", seeds: &[], words: None, most: 2048 },
];

/// Targets that run at the same time.
const AT_ONCE: usize = 2;

/// The step of `cargo xtask test`. The seeds have been replayed before it; a machine without a nightly compiler does
/// without the rest.
pub(crate) fn check() -> anyhow::Result<()> {
    run(Duration::from_secs(10), &[]).map_err(|error| match error.downcast::<CannotRun>() {
        Ok(CannotRun(why)) => NotRun(why).into(),
        Err(error) => error,
    })
}

/// Runs the targets, all if none is named, each for this long.
pub(crate) fn run(time: Duration, wanted: &[String]) -> anyhow::Result<()> {
    check_table()?;
    let targets = chosen(wanted)?;
    need_tools()?;
    build(&targets)?;
    println!("{} targets for {} s each, {AT_ONCE} at a time", targets.len(), time.as_secs());
    println!("{HEADING}");
    let all = targets.len();
    let failed = run_all(targets, time);
    match failed.len() {
        0 => Ok(()),
        n => bail!("{n} of {all} targets failed: {}", failed.join(", ")),
    }
}

fn chosen(wanted: &[String]) -> anyhow::Result<VecDeque<&'static Target>> {
    if let Some(unknown) = wanted.iter().find(|name| TARGETS.iter().all(|target| target.name != **name)) {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!("there is no target {unknown:?}; there are {}", names.join(", "));
    }
    let is_wanted = |target: &&Target| wanted.is_empty() || wanted.iter().any(|name| name == target.name);
    Ok(TARGETS.iter().filter(is_wanted).collect())
}

/// Runs them one after the other on each of a few threads; the names of those that failed.
fn run_all(targets: VecDeque<&'static Target>, time: Duration) -> Vec<&'static str> {
    let queue = Mutex::new(targets);
    let next = || queue.lock().ok()?.pop_front();
    let work = || {
        let mut failed = Vec::new();
        while let Some(target) = next() {
            match fuzz(target, time) {
                Ok(run) => println!("{run}"),
                Err(error) => {
                    println!("{:24} FAILED: {error:#}", target.name);
                    failed.push(target.name);
                }
            }
        }
        failed
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|_| vec!["a thread"])).collect()
    })
}

/// Every target of `fuzz/fuzz_targets` has its row.
fn check_table() -> anyhow::Result<()> {
    let folder = host::root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for file in files {
        let name = file?.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if TARGETS.iter().all(|target| target.name != name) {
            bail!("crates/xtask/src/fuzz.rs has no row for the target {name:?}");
        }
    }
    Ok(())
}

fn need_tools() -> anyhow::Result<()> {
    let needs = [
        (works(&mut nightly(&["--version"])), "a nightly toolchain: rustup toolchain install nightly"),
        (works(&mut nightly(&["fuzz", "--version"])), "cargo-fuzz: cargo install cargo-fuzz --locked"),
    ];
    let missing: Vec<&str> = needs.iter().filter(|(there, _)| !there).map(|(_, what)| *what).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        bail!(CannotRun(format!("nothing was fuzzed, for this machine lacks {}", missing.join(" and "))))
    }
}

/// Builds them with their sanitizers below the target folder.
fn build(targets: &VecDeque<&Target>) -> anyhow::Result<()> {
    let mut command = nightly(&["fuzz", "build"]);
    command.arg("--fuzz-dir").arg(host::root().join("fuzz")).arg("--target-dir").arg(folder());
    // One target or all of them is what cargo-fuzz can build.
    if let [target] = targets.iter().copied().collect::<Vec<_>>()[..] {
        command.arg(target.name);
    }
    host::run(&mut command)
}

/// cargo of the nightly toolchain; cargo-fuzz needs its sanitizers.
fn nightly(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    // Inside `cargo xtask` these would lead back to the toolchain that runs us.
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").current_dir(host::root());
    command.arg("+nightly").args(arguments);
    command
}

fn folder() -> PathBuf {
    host::target().join("fuzz")
}

/// Runs one target. New inputs go to a folder of their own and are the first seeds of the next run; committed seeds are
/// only read.
fn fuzz(target: &Target, time: Duration) -> anyhow::Result<Run> {
    let below = |name: &str| {
        let folder = folder().join(name).join(target.name);
        fs::create_dir_all(&folder).map(|()| folder)
    };
    let (found, crashes) = (below("found")?, below("crashes")?);
    let log = folder().join(format!("{}.log", target.name));
    let mut command = Command::new(program(target)?);
    // A trace of calls takes so long to write that the input would seem to have been slow.
    command.env("RUST_BACKTRACE", "0");
    // What was freed is not kept for long, so that the peak of memory is that of the target.
    command.env("ASAN_OPTIONS", "quarantine_size_mb=16");
    command.current_dir(host::root()).arg(&found).args(seeds(target));
    // The targets themselves hold each input to 100 ms of work; this is for one that never ends.
    command.args(["-timeout=10", "-malloc_limit_mb=32", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={}", time.as_secs())).arg(format!("-max_len={}", target.most));
    command.arg(format!("-artifact_prefix={}/", crashes.display()));
    if let Some(words) = target.words {
        command.arg(format!("-dict=fuzz/dict/{words}.dict"));
    }
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    let status = command.status().with_context(|| format!("cannot start {}", target.name))?;
    let told = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        bail!("{}\n    all of it is in {}", what_broke(&told), log.display());
    }
    Ok(Run { name: target.name, inputs: fs::read_dir(&found)?.count(), figures: Figures::read(&told) })
}

/// The lines of a log that say what went wrong, and with which input.
fn what_broke(told: &str) -> String {
    let lines: Vec<&str> = told.lines().collect();
    let panic = lines.iter().position(|line| line.contains(" panicked at "));
    let said = panic.map_or(&[][..], |at| lines.get(at..(at + 4).min(lines.len())).unwrap_or_default());
    let names = |line: &&&str| line.contains("ERROR: ") || line.contains("Test unit written to ");
    let told: Vec<&str> = said.iter().chain(lines.iter().filter(names)).copied().collect();
    told.join("\n    ")
}

fn program(target: &Target) -> anyhow::Result<PathBuf> {
    let told = host::output(Command::new("rustc").arg("-vV"))?;
    let triple = told.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(folder().join(triple).join("release").join(target.name))
}

fn seeds(target: &Target) -> Vec<PathBuf> {
    let own = format!("fuzz/corpus/{}", target.name);
    let folders = std::iter::once(own.as_str()).chain(target.seeds.iter().copied());
    folders
        .map(Path::new)
        .filter(|folder| host::root().join(folder).is_dir())
        .map(Path::to_path_buf)
        .collect()
}

const HEADING: &str = "target                     executions  per second  inputs  peak MB  slowest ms";

/// A target that held, and what it took.
#[derive(Debug)]
struct Run {
    name: &'static str,
    /// That add to the coverage of the committed ones.
    inputs: usize,
    figures: Figures,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, inputs, figures } = self;
        let Figures { executions, per_second, peak_mb, slowest_us } = figures;
        let slowest = Duration::from_micros(*slowest_us).as_secs_f64() * 1000.0;
        write!(f, "{name:24} {executions:12} {per_second:11} {inputs:7} {peak_mb:8} {slowest:11.1}")
    }
}

/// What a fuzzer prints of its run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    executions: u64,
    per_second: u64,
    peak_mb: u64,
    slowest_us: u64,
}

impl Figures {
    fn read(told: &str) -> Self {
        let last = |name: &str| {
            let value = told.lines().rev().find_map(|line| line.trim().strip_prefix(name))?;
            value.trim().trim_end_matches(" us").parse().ok()
        };
        let figure = |name| last(name).unwrap_or_default();
        Self {
            executions: figure("stat::number_of_executed_units:"),
            per_second: figure("stat::average_exec_per_sec:"),
            peak_mb: figure("stat::peak_rss_mb:"),
            slowest_us: figure("slowest unit:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_its_row_and_every_row_its_target() {
        check_table().unwrap();
        for target in TARGETS {
            let file = host::root().join(format!("fuzz/fuzz_targets/{}.rs", target.name));
            assert!(file.is_file(), "{}", target.name);
            assert!(!seeds(target).is_empty(), "{} has no seeds", target.name);
            for folder in target.seeds {
                assert!(host::root().join(folder).is_dir(), "{folder}");
            }
            let words = target.words.map(|words| host::root().join(format!("fuzz/dict/{words}.dict")));
            assert!(words.is_none_or(|words| words.is_file()), "{}", target.name);
        }
    }

    #[test]
    fn a_failure_tells_the_panic_and_the_input() {
        let told = "INFO: seed 1\nthread 'x' panicked at src/a.rs:1:2:\nno good\nstack backtrace:\n 0: main\n 1: more\n\
                    ==7== ERROR: libFuzzer: deadly signal\nx; Test unit written to /c/crash-1\n";
        let broke = what_broke(told);
        for part in ["src/a.rs:1:2", "no good", "deadly signal", "crash-1"] {
            assert!(broke.contains(part), "{broke}");
        }
        assert!(!broke.contains("seed"), "{broke}");
    }

    #[test]
    fn the_figures_are_those_that_were_printed_last() {
        let told = "#2\tINITED cov: 10\nslowest unit: 15 us\nslowest unit: 1234 us\n\
                    stat::number_of_executed_units: 4321\nstat::average_exec_per_sec:     432\n\
                    stat::new_units_added:          9\nstat::slowest_unit_time_sec:    0\nstat::peak_rss_mb:              64\n";
        let figures = Figures { executions: 4321, per_second: 432, peak_mb: 64, slowest_us: 1234 };
        assert_eq!(Figures::read(told), figures);
        assert_eq!(Figures::read(""), Figures::default());
    }
}

//! The program as others run it: arguments and lines in, lines and an exit code out.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

/// Only a broken program is waited for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn floe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
    command.args(arguments);
    for name in ["FLOE_TURN_USER", "FLOE_TURN_PASSWORD", "FLOE_TURN_SECRET", "FLOE_SERVE_USERS"] {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end without any input.
pub(crate) fn run(arguments: &[&str]) -> Output {
    floe(arguments).stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn json_lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A program that runs beside the test, and not longer than it.
pub(crate) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    told: Option<JoinHandle<String>>,
}

impl Program {
    /// Starts it; each line of its output goes to `lines` under this name, and then none.
    pub(crate) fn start<N: Copy + Send + 'static>(
        arguments: &[&str],
        name: N,
        lines: Sender<(N, Option<String>)>,
    ) -> Self {
        let mut child = floe(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        let mut told = child.stderr.take().unwrap();
        let told = thread::spawn(move || {
            let mut text = String::new();
            let _ = told.read_to_string(&mut text);
            text
        });
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = lines.send((name, Some(line)));
            }
            let _ = lines.send((name, None));
        });
        Self { child, input, told: Some(told) }
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// As Ctrl-C does.
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own kill is on every system, the program of that name is not.
        let kill = format!("kill {name} {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Ends its input and waits for its end.
    pub(crate) fn succeeded(mut self) -> bool {
        self.end_input();
        self.ended().0 == 0
    }

    /// Waits for its end: the exit code, and what it told the person at the terminal.
    pub(crate) fn ended(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().expect("it was killed");
        (code, self.told.take().unwrap().join().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server on loopback that relays for the user `u` with the password `p`.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) address: String,
    pub(crate) lines: Receiver<((), Option<String>)>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&["--allow-loopback-peers"])
    }

    /// With more arguments.
    pub(crate) fn start_with(more: &[&str]) -> Self {
        let (sender, lines) = mpsc::channel();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--user", "u:p", "--json"];
        let arguments = [&arguments[..], more].concat();
        let program = Program::start(&arguments, (), sender);
        let first = lines.recv_timeout(PATIENCE).unwrap().1.expect("the server ended");
        let first: Value = serde_json::from_str(&first).unwrap();
        let address = first["address"].as_str().unwrap().to_owned();
        Self { program, address, lines }
    }

    /// What it tells next.
    pub(crate) fn next(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap().1.expect("the server ended");
        serde_json::from_str(&line).unwrap()
    }

    pub(crate) fn uri(&self, scheme: &str) -> String {
        format!("{scheme}:{}", self.address)
    }
}

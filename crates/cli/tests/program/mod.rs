//! The program as others run it: arguments and lines in, lines and an exit code out.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Only a broken program is waited for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn floe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
    command.args(arguments).env_remove("FLOE_TURN_USER").env_remove("FLOE_TURN_PASSWORD");
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
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = lines.send((name, Some(line)));
            }
            let _ = lines.send((name, None));
        });
        Self { child, input }
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

    /// Waits for its end.
    pub(crate) fn succeeded(mut self) -> bool {
        self.input = None;
        self.child.wait().unwrap().success()
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
        let (sender, lines) = mpsc::channel();
        let arguments =
            ["serve", "--listen", "127.0.0.1:0", "--user", "u:p", "--allow-loopback-peers", "--json"];
        let program = Program::start(&arguments, (), sender);
        let first = lines.recv_timeout(PATIENCE).unwrap().1.expect("the server ended");
        let first: Value = serde_json::from_str(&first).unwrap();
        let address = first["address"].as_str().unwrap().replace(' ', ":");
        Self { program, address, lines }
    }

    pub(crate) fn uri(&self, scheme: &str) -> String {
        format!("{scheme}:{}", self.address)
    }
}

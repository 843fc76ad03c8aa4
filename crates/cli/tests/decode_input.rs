//! What `floe decode` is given, and what it makes of it: digits, bytes, texts, lines, keys, and hostile ones of each.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and how long a program takes is tested"
)]

mod program;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, iter, thread};

use floe_stun::attribute::*;
use floe_stun::credentials::Credentials;
use floe_stun::{Builder, Class, Key, Method, Password, TransactionId};
use program::{PATIENCE, Program, floe, json_lines, run, stderr};
use serde_json::{Value, json};

/// A check of RFC 5769 §2.1, whose password is known.
const CHECK: &str = include_str!("../../../tests/corpora/vectors/rfc5769-2.1-sample-request.hex");
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

fn told(arguments: &[&str]) -> Value {
    one(&run(&[&["decode", "--json"], arguments].concat()))
}

fn one(output: &Output) -> Value {
    let [told] = json_lines(output).try_into().unwrap();
    assert_eq!(output.status.success(), told["ok"] == true, "{told}");
    told
}

fn tree(arguments: &[&str]) -> String {
    let output = run(&[&["decode"], arguments].concat());
    String::from_utf8(output.stdout).unwrap()
}

fn with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = floe(&[&["decode"], arguments].concat());
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A Binding request filled and ended like this.
fn message(finish: impl for<'b> FnOnce(Builder<'b>) -> &'b [u8]) -> Vec<u8> {
    let mut buf = [0; 2048];
    finish(Builder::new(&mut buf, Class::Request, Method::BINDING, TransactionId::from(*b"abcdefghijkl")))
        .to_vec()
}

/// A file that is there as long as the test is.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = env::temp_dir().join(format!("floe-decode-{}-{name}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn one_message_reads_the_same_however_it_comes() {
    let bytes = message(|builder| builder.attribute(&Priority(7)).fingerprint().finish().unwrap());
    let digits = hex(&bytes);
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let mut expected = told(&[&digits]);
    assert_eq!(expected["input"], "hex");
    for text in [pairs.join(" "), pairs.join(":"), format!("0x{digits}"), format!("0x{}", pairs.join(", 0x"))]
    {
        assert_eq!(told(&[&text]), expected, "{text}");
        let file = File::new("digits", format!("\n{}\r\n{}\n", &text[..60], &text[60..]).as_bytes());
        assert_eq!(told(&[file.name()]), expected, "{text}");
    }
    assert_eq!(one(&with_input(&["--json", "-"], digits.as_bytes())), expected);
    expected["input"] = "binary".into();
    assert_eq!(told(&[File::new("bytes", &bytes).name()]), expected);
    assert_eq!(one(&with_input(&["--json", "-"], &bytes)), expected);
}

#[test]
fn a_message_is_told_with_all_that_stands_in_it() {
    let told = told(&["--key", PASSWORD, CHECK.trim()]);
    let names: Vec<&str> =
        told["attributes"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    let expected = ["SOFTWARE", "PRIORITY", "ICE-CONTROLLED", "USERNAME", "MESSAGE-INTEGRITY", "FINGERPRINT"];
    assert_eq!(names, expected);
    let head = ["kind", "class", "method", "length", "bytes", "transaction_id"].map(|key| told[key].clone());
    assert_eq!(json!(head), json!(["stun", "request", "Binding", 88, 108, "b7e7a701bc34d686fa87dfae"]));
    assert_eq!(told["attributes"][1]["value"], 0x6E00_01FF);
    assert_eq!(
        (&told["integrity"], &told["fingerprint"], &told["error"]),
        (&true.into(), &true.into(), &Value::Null)
    );
    let covers = told["seals"].as_array().unwrap().iter().map(|seal| &seal["covers"]);
    let expected =
        [json!({ "from": 0, "to": 76, "length": 80 }), json!({ "from": 0, "to": 100, "length": 88 })];
    assert!(covers.eq(&expected), "{told}");
}

#[test]
fn without_a_key_nothing_is_known_of_the_signature() {
    assert_eq!(told(&[CHECK.trim()])["integrity"], Value::Null);
    assert_eq!(told(&["--key", "wrong", CHECK.trim()])["integrity"], false);
    let second = told(&["--key", "wrong", "--key", PASSWORD, CHECK.trim()]);
    assert_eq!((&second["integrity"], &second["seals"][0]["key"]), (&true.into(), &"--key number 2".into()));
    let unsigned = message(|builder| builder.finish().unwrap());
    assert_eq!(told(&["--key", PASSWORD, &hex(&unsigned)])["integrity"], Value::Null);
}

#[test]
fn a_long_term_key_is_made_by_the_algorithm_that_the_message_names() {
    let credentials = Credentials::new("alice", Password::new("secret"));
    let key = |algorithm| credentials.key("example.org", algorithm);
    let arguments = ["--user", "alice", "--realm", "example.org", "--password", "secret"];
    for (named, made, verified) in [
        (None, Algorithm::MD5, true),
        (None, Algorithm::SHA256, true),
        (Some(Algorithm::SHA256), Algorithm::SHA256, true),
        (Some(Algorithm::MD5), Algorithm::SHA256, false),
        (Some(Algorithm::SHA256), Algorithm::MD5, false),
    ] {
        for sha256 in [false, true] {
            let bytes = message(|builder| {
                let builder = builder.maybe(named.map(PasswordAlgorithm).as_ref());
                match sha256 {
                    true => builder.integrity_sha256(&key(made)).finish().unwrap(),
                    false => builder.integrity(&key(made)).finish().unwrap(),
                }
            });
            let told = told(&[&arguments[..], &[&hex(&bytes)]].concat());
            assert_eq!(told["integrity"], verified, "{named:?} and {made:?}: {told}");
        }
    }
}

/// RFC 8265 §4.2: a password is prepared before it becomes a key, and not by everybody.
#[test]
fn a_password_may_have_been_prepared_or_not() {
    for signed_with in ["a\u{3000}b", "a b"] {
        let key = Key::short_term(signed_with);
        let bytes = message(|builder| builder.integrity(&key).finish().unwrap());
        assert_eq!(told(&["--key", "a\u{3000}b", &hex(&bytes)])["integrity"], true, "{signed_with:?}");
    }
}

#[test]
fn what_stands_behind_the_seal_is_shown_as_not_visible() {
    let key = Key::short_term(PASSWORD);
    let mut bytes = message(|builder| builder.attribute(&Username("a:b")).integrity(&key).finish().unwrap());
    bytes.extend([0, 0x25, 0, 0]);
    bytes[3] += 4;
    let told = told(&["--key", PASSWORD, &hex(&bytes)]);
    let visible: Vec<&Value> = told["attributes"].as_array().unwrap().iter().map(|a| &a["visible"]).collect();
    assert_eq!((json!(visible), &told["integrity"]), (json!([true, true, false]), &true.into()));
    let shown = tree(&[&hex(&bytes)]);
    assert!(
        shown.lines().any(|line| line.contains("USE-CANDIDATE") && line.contains("not visible")),
        "{shown}"
    );
}

/// RFC 8489 §14.7: a CRC that is right vouches for nothing if something follows.
#[test]
fn a_fingerprint_that_is_not_the_last_is_wrong() {
    let mut bytes = message(|builder| builder.fingerprint().finish().unwrap());
    bytes.extend([0x80, 0x22, 0, 0]);
    bytes[3] += 4;
    let told_wrong = told(&[&hex(&bytes)]);
    let right = told_wrong["notes"].to_string().split("it should be ").nth(1).unwrap()[..8].to_owned();
    let digits = hex(&bytes).replace(&hex(&bytes[24..28]), &right);
    let told_right = told(&[&digits]);
    assert!(!told_right["notes"].to_string().contains("it should be"), "{told_right}");
    assert_eq!(told_right["fingerprint"], false);
}

#[test]
fn unknown_attributes_are_told_by_number_class_and_digits() {
    let bytes = message(|builder| {
        let builder = builder.attribute_as(0x7FFE, &Padding(b"abc"));
        builder.attribute_as(0xFFFE, &Padding(b"")).finish().unwrap()
    });
    let told = told(&[&hex(&bytes)]);
    let parts = |n: usize| ["name", "known", "required", "hex"].map(|key| told["attributes"][n][key].clone());
    assert_eq!(json!(parts(0)), json!(["0x7ffe", false, true, "616263"]));
    assert_eq!(json!(parts(1)), json!(["0xfffe", false, false, ""]));
    let shown = tree(&[&hex(&bytes)]);
    assert!(shown.contains("0x7ffe  unknown, comprehension-required, 3 bytes  616263"), "{shown}");
}

#[test]
fn of_a_refused_message_the_reason_the_place_and_the_rest_are_told() {
    let whole =
        message(|builder| builder.attribute(&Username("evtj")).attribute(&Priority(1)).finish().unwrap());
    let mut overrun = whole.clone();
    overrun[31] = 0xFF;
    let cases = [
        (whole[..10].to_vec(), "truncated: ", 10, 0),
        (whole[..30].to_vec(), "truncated: ", 30, 1),
        (overrun, "attribute-overrun: ", 28, 2),
        ([&whole[..], b"more"].concat(), "trailing-bytes: 4 ", 36, 2),
    ];
    for (bytes, error, offset, attributes) in cases {
        let told = told(&[&hex(&bytes)]);
        assert!(told["error"].as_str().unwrap().starts_with(error), "{told}");
        assert_eq!((&told["offset"], &told["class"]), (&offset.into(), &"request".into()), "{told}");
        assert_eq!(told["attributes"].as_array().unwrap().len(), attributes, "{told}");
        let shown = tree(&[&hex(&bytes)]);
        assert!(shown.contains(&format!("(at byte {offset})")), "{shown}");
    }
}

#[test]
fn what_a_relay_carries_is_decoded_too() {
    let inner = message(|builder| builder.attribute(&Priority(5)).finish().unwrap());
    let outer = message(|builder| builder.attribute(&Data(&inner)).finish().unwrap());
    let told_inner = &told(&[&hex(&outer)])["attributes"][0]["inner"];
    assert_eq!((&told_inner["input"], &told_inner["attributes"][0]["value"]), (&"data".into(), &5.into()));
    let channel = [&[0x40, 0x01, 0, u8::try_from(inner.len()).unwrap()][..], &inner].concat();
    let told = told(&[&hex(&channel)]);
    assert_eq!((&told["channel"], &told["inner"]["method"]), (&0x4001.into(), &"Binding".into()));
}

/// A stranger could nest messages as deep as 64 KiB go.
#[test]
fn messages_within_messages_end() {
    let mut bytes = message(|builder| builder.finish().unwrap());
    while bytes.len() < 60_000 {
        let mut buf = vec![0; 65_000];
        let builder = Builder::new(&mut buf, Class::Indication, Method::SEND, TransactionId::from([1; 12]));
        bytes = builder.attribute(&Data(&bytes)).finish().unwrap().to_vec();
    }
    assert_eq!(told(&[File::new("nested", &bytes).name()])["ok"], true);
}

#[test]
fn texts_are_told_apart_and_read() {
    let line = "candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host generation 0";
    let expected = json!({ "kind": "candidate", "foundation": "1", "component": 1, "transport": "UDP", "priority": 2_130_706_431,
        "address": "10.0.1.1", "port": 8998, "type": "host", "extensions": [["generation", "0"]] });
    for text in [line.to_owned(), format!("a={line}"), line.replace("candidate:", "")] {
        let told = told(&[&text]);
        for (key, want) in expected.as_object().unwrap() {
            assert_eq!(told[key], *want, "{key} in {told}");
        }
    }
    let offer = include_str!("../../../tests/corpora/sdp/browsers-2026/chromium-offer-dc.sdp");
    let told = one(&with_input(&["--json", "-"], offer.as_bytes()));
    assert_eq!((&told["kind"], &told["data_channels"]["ok"]), (&"sdp".into(), &true.into()));
    assert_eq!(
        (&told["sections"][0]["mid"], &told["sections"][0]["setup"]),
        (&"0".into(), &"actpass".into())
    );
    let fragment = format!("a=ice-ufrag:8hhY\r\nm=audio 9 RTP/AVP 0\r\na=mid:7\r\na={line}\r\n");
    let told = one(&with_input(&["--json", "-"], fragment.as_bytes()));
    assert_eq!((&told["kind"], &told["sections"][0]["mid"]), (&"fragment".into(), &"7".into()));
    assert_eq!(told["sections"][0]["candidates"][0]["port"], 8998);
}

#[test]
fn a_fault_in_a_text_is_told_with_line_and_column() {
    let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 65536 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    let told = one(&with_input(&["--json", "-"], text.as_bytes()));
    assert_eq!((&told["line"], &told["column"]), (&5.into(), &15.into()));
    assert!(
        told["error"].as_str().unwrap().starts_with("out-of-range: line 5, column 15: expected"),
        "{told}"
    );
}

#[test]
fn no_password_of_a_description_is_repeated() {
    let offer = include_str!("../../../tests/corpora/sdp/browsers-2026/chromium-offer-dc.sdp");
    let password = offer.split("a=ice-pwd:").nth(1).unwrap().split('\r').next().unwrap();
    for arguments in [&["-"][..], &["--json", "-"]] {
        let output = with_input(arguments, offer.as_bytes());
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(!shown.contains(password) && shown.contains("24"), "{shown}");
    }
}

#[test]
fn what_is_nothing_that_is_known_is_told_so() {
    for (input, word) in [
        (&b"hello"[..], "unknown: "),
        (b"00 01 zz 02 03 04 05", "unknown: "),
        (b"0001 0044 zz", "bad-hex: "),
        (b"0x000", "bad-hex: expected pairs of hexadecimal digits, found an odd number of them: 3"),
        (b"000", "bad-hex: expected pairs of hexadecimal digits, found an odd number of them: 3"),
        (
            b"00000000: 0001 0000 2112 a442  ....!..B\n",
            "bad-hex: expected bytes or their digits alone, found a dump",
        ),
        (b"\x16\xFE\xFD\x00", "not-stun: "),
        (b"", "empty: "),
        (b" \r\n", "empty: "),
    ] {
        let told = one(&with_input(&["--json", "-"], input));
        assert!(told["error"].as_str().unwrap().starts_with(word), "{input:?}: {told}");
    }
    assert!(tree(&["16fefd00"]).contains("by its first byte it is Dtls"));
    for arguments in [&["--json", "-"][..], &["--json", "--stream", "-"]] {
        let told = one(&with_input(arguments, b""));
        assert!(told["error"].as_str().unwrap().starts_with("empty: ") && told["input"] == "none", "{told}");
    }
}

/// It may be a line of a shell's history, or a file of passwords.
#[test]
fn what_came_by_mistake_is_not_repeated() {
    for arguments in [&["-"][..], &["--json", "-"], &["--stream", "-"]] {
        let output = with_input(arguments, b"curl -u alice:hunter2 https://example.org\n");
        let shown = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(!["curl", "alice", "hunter2", "example"].iter().any(|word| shown.contains(word)), "{shown}");
    }
    let shown = tree(&[File::new("secret", b"hunter2\n").name()]);
    assert!(shown.contains("a text of 7 characters: letters and digits"), "{shown}");
}

#[test]
fn a_list_of_candidates_is_read_line_by_line() {
    let line = |n: u32| format!("candidate:1 1 UDP {n} 10.0.1.1 8998 typ host");
    let lines = [line(1), format!("a={}", line(2)), String::new(), line(3).replace("candidate:", "")];
    for (end, n) in [("\n", 3), ("\r\n", 3), ("\n  \n", 3)] {
        let text = format!("{end}{}{end}", lines.join(end));
        for output in [with_input(&["--json", "-"], text.as_bytes()), run(&["decode", "--json", &text])] {
            let told = json_lines(&output);
            assert!(output.status.success() && told.len() == n, "{told:?}");
            for (told, priority) in told.iter().zip(1..) {
                assert_eq!((&told["kind"], &told["priority"]), (&"candidate".into(), &priority.into()));
            }
        }
    }
    let output = with_input(&["--json", "-"], format!("\n{}\n{}x\n", line(1), "candidate:1 1 ").as_bytes());
    let [good, bad] = json_lines(&output).try_into().unwrap();
    assert_eq!((&good["ok"], &bad["ok"], output.status.code()), (&true.into(), &false.into(), Some(1)));
    assert!(bad["error"].as_str().unwrap().contains(": line 3, column"), "{bad}");
    let told = one(&with_input(&["--json", "-"], format!("a={}\na=mid:0\n", line(1)).as_bytes()));
    assert_eq!(told["kind"], "fragment");
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_what_was_expected() {
    for name in ["/no/such/file", env::temp_dir().to_str().unwrap()] {
        let output = run(&["decode", "--json", name]);
        let told = one(&output);
        assert!(told["error"].as_str().unwrap().starts_with("unreadable: "), "{told}");
        let said = stderr(&output);
        assert!(
            said.contains(name) && said.contains("expected hexadecimal digits") && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[test]
fn credentials_come_together_and_are_not_empty() {
    for arguments in [
        &["--user", "a", "00"][..],
        &["--user", "a", "--realm", "b", "00"],
        &["--realm", "b", "00"],
        &["--password", "c", "00"],
        &["--key", "", "00"],
        &["--lines", "--stream", "00"],
        &[],
    ] {
        let output = run(&[&["decode"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
}

/// Whatever a stranger's message says, it cannot touch the terminal or forge a line of the tree.
#[test]
fn nothing_that_is_shown_reaches_the_terminal_as_a_command() {
    let nasty = "\x1b]0;owned\x07\x1b[2J\r\n├─ forged\u{202E}\u{61C}\u{9b}31m\x7f";
    let bytes = message(|builder| {
        let builder = builder.attribute(&Software(nasty)).attribute(&Username(nasty));
        builder.attribute(&ErrorCode { code: 400, reason: nasty }).finish().unwrap()
    });
    let candidate = format!("candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host x {nasty}");
    let description =
        format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns={}\r\nt=0 0\r\n", nasty.replace(['\r', '\n'], ""));
    let turned = "v=0\r\no=a\u{202E}b 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    assert!(one(&with_input(&["--json", "-"], turned.as_bytes()))["ok"] == true, "it is shown");
    let inputs =
        [&bytes[..], candidate.as_bytes(), description.as_bytes(), nasty.as_bytes(), turned.as_bytes()];
    for input in inputs {
        let shown = with_input(&["-"], input).stdout;
        let shown = String::from_utf8(shown).unwrap();
        let obeyed = ['\x1b', '\x07', '\r', '\u{202E}', '\u{61C}', '\u{9b}', '\x7f'];
        assert!(!shown.contains(obeyed), "{shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with("├─ forged")), "{shown}");
        let told = with_input(&["--json", "-"], input).stdout;
        assert_eq!(told.iter().filter(|byte| **byte == b'\n').count(), 1);
        let told = String::from_utf8(told).unwrap();
        assert!(!told.contains(obeyed), "{told:?}");
    }
}

#[test]
fn each_line_is_answered_by_one_object() {
    let good = hex(&message(|builder| builder.finish().unwrap()));
    let input = format!("{good}\n\n \t\r\nzz\n{good}0\n{}\n\u{feff}\r\n{good}", "0".repeat(1 << 20));
    let mut input = input.into_bytes();
    input.extend(b"\n\xFF\xFF\n");
    let output = with_input(&["--lines", "--json", "-"], &input);
    let told = json_lines(&output);
    let ok: Vec<&Value> = told.iter().map(|told| &told["ok"]).collect();
    assert_eq!(json!(ok), json!([true, false, false, false, false, true, false]), "{told:?}");
    for told in &told {
        for key in ["ok", "error", "kind", "attributes", "integrity", "fingerprint"] {
            assert!(told.get(key).is_some(), "no {key} in {told}");
        }
        assert_eq!(told["error"].is_null(), told["ok"] == true);
    }
    assert_eq!(output.status.code(), Some(1));
    let output = with_input(&["--lines", "--json", "-"], format!("{good}\n{good}\n").as_bytes());
    assert_eq!((output.status.code(), json_lines(&output).len()), (Some(0), 2));
}

/// A line is answered before the next is asked for.
#[test]
fn a_program_may_ask_line_by_line() {
    let (sender, answers) = mpsc::channel();
    let mut program = Program::start(&["decode", "--lines", "--json", "-"], (), sender);
    for n in 0..3_u8 {
        program.say(&format!("400{n}000100"));
        let answer = answers.recv_timeout(PATIENCE).unwrap().1.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["channel"], 0x4000 + u16::from(n));
    }
    assert!(program.succeeded());
}

#[test]
fn ten_thousand_lines_take_no_time() {
    let key = Key::short_term(PASSWORD);
    let line = hex(&message(|builder| {
        builder.attribute(&Username("a:b")).integrity(&key).fingerprint().finish().unwrap()
    }));
    let input = iter::repeat_n(format!("{line}\n"), 10_000).collect::<String>();
    let began = Instant::now();
    let output = with_input(&["--lines", "--json", "--key", PASSWORD, "-"], input.as_bytes());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let told = json_lines(&output);
    assert!(
        told.len() == 10_000 && told.iter().all(|told| told["integrity"] == true) && output.status.success()
    );
}

/// What comes without an end takes no memory: an endless line, and an endless input that is nothing.
#[test]
fn an_endless_input_is_bounded() {
    for (arguments, byte) in [(&["--lines", "--json", "-"][..], b"a"), (&["--json", "-"], b"\0")] {
        let mut command = Command::new("sh");
        // 64 MiB of address space more than the program needs itself.
        command.args(["-c", "ulimit -v 262144; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_floe"), "decode"]);
        let command =
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let writer = thread::spawn(move || {
            let block = byte.repeat(1 << 20);
            for _ in 0..512 {
                if input.write_all(&block).is_err() {
                    return;
                }
            }
        });
        let mut answer = String::new();
        child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
        writer.join().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        let told: Value = serde_json::from_str(&answer).unwrap();
        assert!(told["error"].as_str().unwrap().starts_with("too-long: "), "{told}");
    }
}

/// As `head` does: the reader has had enough, and that is no error, unless there was one before.
#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let good = hex(&message(|builder| builder.finish().unwrap())) + "\n";
    for (first, code) in [(String::new(), 0), ("zz\n".to_owned(), 1)] {
        let mut command = floe(&["decode", "--lines", "--json", "-"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut input, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let lines = first + &good.repeat(50_000);
        let writer = thread::spawn(move || drop(input.write_all(lines.as_bytes())));
        let mut line = String::new();
        BufReader::with_capacity(1, stdout).read_line(&mut line).unwrap();
        writer.join().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), stderr(&output)), (Some(code), String::new()));
    }
}

#[test]
fn a_password_may_come_from_the_environment() {
    let key = Credentials::new("alice", Password::new("secret")).key("example.org", Algorithm::MD5);
    let bytes = message(|builder| builder.integrity(&key).finish().unwrap());
    let mut command = floe(&["decode", "--json", "--user", "alice", "--realm", "example.org", &hex(&bytes)]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("FLOE_TURN_PASSWORD"), "{}", stderr(&output));
    let told = one(&command.env("FLOE_TURN_PASSWORD", "secret").output().unwrap());
    assert_eq!(told["integrity"], true);
}

/// docs/decode.md is what programs are written by.
#[test]
fn every_field_and_word_is_documented() {
    let docs = include_str!("../../../docs/decode.md");
    let inner = message(|builder| builder.finish().unwrap());
    let key = Key::short_term(PASSWORD);
    let all = message(|builder| {
        let builder = builder.attribute(&Data(&inner)).attribute(&ErrorCode::BAD_REQUEST);
        let builder =
            builder.attribute(&EvenPort { reserve_next: true }).attribute(&ChangeRequest::default());
        let builder = builder.attribute(&IcmpAttribute { kind: 3, code: 4, data: 0 });
        let builder = builder.attribute(&AddressErrorCode { family: Family::Ipv6, code: 440, reason: "" });
        let builder = builder.attribute(&TransmitCounter { request: 1, response: 1 });
        let builder = builder.attribute(&GoogNetworkInfo { network: 1, cost: 1 });
        builder.attribute(&PasswordAlgorithm(Algorithm::MD5)).integrity(&key).fingerprint().finish().unwrap()
    });
    let capture = [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 0x0004_0000, 101].map(u32::to_le_bytes).concat();
    let offer = include_str!("../../../tests/corpora/sdp/browsers-2026/firefox-host-offerFull.sdp");
    let line = "candidate:1 1 TCP 1 10.0.1.1 9 typ srflx raddr 10.0.1.2 rport 9 tcptype active";
    let channel_data = [&[0x40, 0, 0, 20], &inner[..]].concat();
    for input in
        [&all[..], &channel_data, &capture, offer.as_bytes(), line.as_bytes(), b"v=0\n", b"a=mid:0", b"zz"]
    {
        let told = one(&with_input(&["--json", "-"], input));
        let mut names = Vec::new();
        fields(&told, &mut names);
        assert!(names.len() > 8, "{told}");
        for name in names {
            assert!(
                docs.contains(&format!("`{name}`")),
                "docs/decode.md does not tell of {name:?} in {told}"
            );
        }
        if let Some(error) = told["error"].as_str() {
            let word = error.split(':').next().unwrap();
            assert!(docs.contains(&format!("`{word}`")), "docs/decode.md does not tell of {error:?}");
        }
        assert!(docs.contains(&format!("`{}`", told["kind"])), "{told}");
        assert!(docs.contains(&format!("`{}`", told["input"])), "{told}");
    }
}

fn fields(told: &Value, names: &mut Vec<String>) {
    match told {
        Value::Object(fields_of) => {
            for (name, below) in fields_of {
                names.push(name.clone());
                fields(below, names);
            }
        }
        Value::Array(list) => list.iter().for_each(|below| fields(below, names)),
        _ => {}
    }
}

#[test]
fn the_help_has_examples_that_run() {
    let help = String::from_utf8(run(&["decode", "--help"]).stdout).unwrap();
    for part in ["HEX|FILE|-", "--key", "--realm", "--lines", "--stream", "Examples:", "tcpdump"] {
        assert!(help.contains(part), "no {part} in {help}");
    }
    let example = help.lines().find_map(|line| line.trim().strip_prefix("floe decode 00")).unwrap();
    assert_eq!(told(&[&format!("00{example}")])["ok"], true);
}

//! The program `floe`: its arguments. What it does with them stands in one file for each command.

mod connect;
mod contract;
mod decode;
mod demo;
mod echo;
mod failure;
mod gather;
mod input;
mod nat;
mod print;
mod serve;
mod servers;
mod signals;
mod stun;
mod turn;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::error::{ContextKind, ErrorKind};
use clap::{Args, Parser, Subcommand};
use floe_stun::Uri;

use crate::failure::Failure;

/// Makes two machines find each other: ICE, STUN and TURN.
#[derive(Debug, Parser)]
#[command(
    name = "floe",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 it worked, 1 it did not, 2 wrong usage, 130 interrupted before it was done."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show it all on this machine: a server and two agents that find each other, without any network.
    Demo(Demo),
    /// List the candidates of this machine, and what each server contributes.
    ///
    /// Exit code 1 says that a server helped none of our addresses.
    Gather(Gather),
    /// Ask a STUN server for our address.
    Stun(Stun),
    /// Find out what the NAT in front of this machine does (RFC 5780), and what that means.
    Nat(Nat),
    /// Try all that a TURN server does, over each transport and for each address family.
    ///
    /// Peers are our own: a second allocation on the same server, and a socket of this machine where the server can reach
    /// it. Exit code 0 says that each server carried data there and back. docs/turn.md tells every field of --json.
    Turn(Turn),
    /// Be a STUN and TURN server until Ctrl-C.
    Serve(Box<Serve>),
    /// Connect to another machine: by descriptions that people paste, or by JSON lines.
    ///
    /// With --offer on one machine and --answer on the other, each prints one line to paste into the other; then type.
    /// With --stdio, a program carries the descriptions: docs/stdio.md tells every line.
    Connect(Connect),
    /// Tell what a STUN message, ChannelData, candidate lines, a session description or a capture says.
    ///
    /// What it is, its content tells. Of a message every attribute is shown, whether MESSAGE-INTEGRITY and FINGERPRINT
    /// verify and what they cover; of one that is refused the reason, and as much of it as can be read. Captures may be
    /// pcap or pcapng. Exit code 0 says that all of it could be decoded. docs/decode.md tells every field of --json.
    #[command(after_help = DECODE_EXAMPLES)]
    Decode(Decode),
}

#[derive(Debug, Args)]
struct Demo {
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Gather {
    #[command(flatten)]
    servers: ServerArguments,
    /// Use loopback addresses as well; so does a server on a loopback address.
    #[arg(long)]
    loopback: bool,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
struct ServerArguments {
    /// Servers, such as stun:example.org or turn:192.0.2.1:3478?transport=udp.
    #[arg(value_name = "URI", value_parser = servers::parse_uri)]
    servers: Vec<Uri>,
    #[command(flatten)]
    login: TurnLogin,
}

/// Who we are to TURN servers.
#[derive(Clone, Debug, Args)]
struct TurnLogin {
    /// User name for the TURN servers.
    #[arg(
        long,
        visible_alias = "username",
        value_name = "NAME",
        env = "FLOE_TURN_USER",
        hide_env_values = true
    )]
    user: Option<String>,
    /// Password for the TURN servers. In the environment it is hidden from other users of this machine.
    #[arg(
        long,
        visible_alias = "credential",
        value_name = "SECRET",
        env = "FLOE_TURN_PASSWORD",
        hide_env_values = true
    )]
    password: Option<String>,
}

#[derive(Debug, Args)]
struct Stun {
    /// The server, such as stun:example.org or stun:192.0.2.1:3478.
    #[arg(value_name = "URI", value_parser = servers::parse_uri)]
    uri: Uri,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Nat {
    /// A server with two addresses, such as stun:stun.example.org.
    #[arg(value_name = "URI", value_parser = servers::parse_uri)]
    uri: Uri,
    /// Also measure how long an unused binding lives; takes a quarter of an hour or more.
    #[arg(long)]
    lifetime: bool,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Turn {
    /// Servers, such as turn:example.org, turn:192.0.2.1:3478?transport=tcp or turns:example.org.
    #[arg(value_name = "URI", value_parser = servers::parse_uri, required = true)]
    uris: Vec<Uri>,
    #[command(flatten)]
    login: TurnLogin,
    /// The secret of a server that takes passwords for a limited time (coturn's use-auth-secret), of which a password for
    /// an hour is made. Instead of a password.
    #[arg(
        long,
        value_name = "SECRET",
        env = "FLOE_TURN_SECRET",
        hide_env_values = true,
        conflicts_with = "password"
    )]
    secret: Option<String>,
    /// Over TLS, trust the authorities or the certificate of this file, in PEM, and nobody else.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// An echo server for UDP, to be the peer instead of our own ones.
    #[arg(long, value_name = "IP:PORT")]
    peer: Option<SocketAddr>,
    /// How long data is sent to see how much gets through; 0 leaves that out.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(..=3600))]
    seconds: u64,
    /// How much data is sent then, in bits a second; k, M and G may stand behind the number.
    #[arg(long, value_name = "BITS", default_value = "10M", value_parser = turn::parse_rate)]
    rate: u64,
    /// Go to another socket while allocated, and look whether the peer still hears us (RFC 8016).
    #[arg(long)]
    mobility: bool,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    settings: serve::Settings,
    /// A file in TOML that says what the options leave open. It has their names without the dashes in front, and a list
    /// where an option may come several times: `listen = ["192.0.2.1:3478"]`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Connect {
    #[command(flatten)]
    how: ConnectHow,
    #[command(flatten)]
    servers: ServerArguments,
    /// Use relayed candidates only.
    #[arg(long)]
    relay_only: bool,
    /// Use loopback addresses as well; so does a server on a loopback address.
    #[arg(long)]
    loopback: bool,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ConnectHow {
    /// Begin: print a description, then take the answer.
    #[arg(long)]
    offer: bool,
    /// Take an offer, then print the answer.
    #[arg(long)]
    answer: bool,
    /// Take commands and give events as JSON lines (docs/stdio.md), for programs that bring their own signalling.
    /// What a start command leaves open is as the other options say.
    #[arg(long)]
    stdio: bool,
}

#[derive(Debug, Args)]
struct Decode {
    /// Hexadecimal digits (spaces, colons, 0x and line breaks do not matter), a file, or - for stdin. Candidate lines
    /// may stand here too.
    #[arg(value_name = "HEX|FILE|-")]
    input: OsString,
    #[command(flatten)]
    keys: DecodeKeys,
    /// Read one message in hexadecimal digits from each line of a file or of stdin, and answer each with one object or
    /// tree. Blank lines are skipped.
    #[arg(long)]
    lines: bool,
    /// Take the bytes for one direction of a TCP connection and cut it into messages (RFC 8489, 8656, 4571).
    #[arg(long, conflicts_with = "lines")]
    stream: bool,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

/// What MESSAGE-INTEGRITY is checked with.
#[derive(Debug, Default, Args)]
struct DecodeKeys {
    /// A password of short-term credentials, as ICE has them; may come several times.
    #[arg(long, value_name = "PASSWORD", value_parser = NonEmptyStringValueParser::new())]
    key: Vec<String>,
    /// User name of long-term credentials, as TURN has them.
    #[arg(long, visible_alias = "username", value_name = "NAME", requires = "realm")]
    user: Option<String>,
    /// The realm they are for.
    #[arg(long, value_name = "REALM", requires = "user")]
    realm: Option<String>,
    /// Their password. In the environment, as FLOE_TURN_PASSWORD, it is hidden from other users of this machine.
    #[arg(
        long,
        visible_alias = "credential",
        value_name = "PASSWORD",
        requires = "user",
        value_parser = NonEmptyStringValueParser::new()
    )]
    password: Option<String>,
}

const DECODE_EXAMPLES: &str = "\
Examples:
  floe decode 000100002112a442b7e7a701bc34d686fa87dfae
  floe decode --key VOkJxbRl1RmTxUk/WvJxBt check.bin
  floe decode --user alice --realm example.org --password secret turn.pcapng
  floe decode 'candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host'
  floe decode offer.sdp
  floe decode --lines --json - < messages.hex
  tcpdump -U -w - udp port 3478 | floe decode -";

fn main() -> ExitCode {
    print::start_clock();
    let Arguments { command } = Arguments::try_parse().unwrap_or_else(|error| refuse(&error));
    let json = command.prints_json();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            let code = Failure::Runtime { why }.report(json);
            print::finish();
            return code;
        }
    };
    let outcome = runtime.block_on(run(command));
    // A resolver that still waits for its server keeps nobody waiting.
    runtime.shutdown_background();
    let code = match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    };
    print::finish();
    code
}

/// Ends with the error, but without a value that may hold a password.
fn refuse(error: &clap::Error) -> ! {
    let told = error.render();
    let value = error.get(ContextKind::InvalidValue).map(ToString::to_string);
    let of_user =
        error.get(ContextKind::InvalidArg).is_some_and(|name| name.to_string().starts_with("--user"));
    match value.filter(|value| of_user || value.contains('@')) {
        Some(value) if error.kind() == ErrorKind::ValueValidation => {
            // Of a URI the scheme, of a user the name; of what has neither, nothing.
            let cut = value.split_once(':').map_or("", |(cut, _)| cut);
            print::note(told.to_string().trim_end().replace(&value, &format!("{cut}…")));
            std::process::exit(error.exit_code())
        }
        _ => error.exit(),
    }
}

impl Command {
    const fn prints_json(&self) -> bool {
        match self {
            Self::Demo(Demo { json })
            | Self::Gather(Gather { json, .. })
            | Self::Stun(Stun { json, .. })
            | Self::Nat(Nat { json, .. })
            | Self::Turn(Turn { json, .. }) => *json,
            Self::Serve(serve) => serve.json,
            Self::Connect(Connect { json, how, .. }) => *json || how.stdio,
            // It has its own words for what went wrong.
            Self::Decode(_) => false,
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(options) => demo::run(options).await,
        Command::Gather(options) => gather::run(options).await,
        Command::Stun(options) => stun::run(options).await,
        Command::Nat(options) => nat::run(options).await,
        Command::Turn(options) => turn::run(options).await,
        Command::Serve(options) => serve::run(*options).await,
        Command::Connect(options) => connect::run(options).await,
        Command::Decode(options) => decode::run(&options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}

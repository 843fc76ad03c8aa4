//! Bodies of the fuzz targets. Each takes any bytes and panics if something that must hold does not.
//!
//! | file | where the bytes come in |
//! |---|---|
//! | `wire.rs` | packets, streams, URIs, answers of the DNS |
//! | `text.rs` | candidate lines, descriptions, fragments |
//! | `machines/signed.rs` | messages that are sealed with the right key, whatever they say |
//! | `machines.rs` | whole lives of agents and clients |
//! | `turn_server.rs` | whole lives of servers, with what they ask of their host |
//!
//! Targets named `…_roundtrip` take the bytes for a [`tape`] of choices: they make values, write them and read them
//! again. The others take the bytes for what came from the network.

mod machines;
mod tape;
mod text;
mod timed;
mod turn_server;
mod wire;

pub use machines::{agent, stun_signed, turn_client};
pub use text::{candidate, candidate_roundtrip, sdp, sdp_fragment, sdp_fragment_roundtrip, sdp_roundtrip};
pub use timed::{LIMIT, timed};
pub use turn_server::turn_server;
pub use wire::{
    channel_data, demux, opaque_string, resolve, stream_cutter, stun_attributes, stun_decode, stun_roundtrip,
    uri, uri_roundtrip,
};

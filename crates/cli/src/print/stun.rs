//! What a STUN server told.

use std::io;

use floe_stun::Uri;
use floe_tokio::{Answer, QueryError};
use serde::Serialize;

use super::{Paint, json, line, note, rtt};
use crate::contract::{millis, spaced};

/// The contract's `server` event with what only this command knows.
#[derive(Serialize)]
struct Told<'a> {
    ev: &'static str,
    url: String,
    transport: &'static str,
    family: Option<&'static str>,
    ok: bool,
    rtt_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapped: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

pub(crate) fn answer(as_json: bool, uri: &Uri, answer: &Answer) -> io::Result<()> {
    if as_json {
        return json(&Told {
            ev: "server",
            url: uri.to_string(),
            transport: "udp",
            family: Some(if answer.server.is_ipv4() { "ipv4" } else { "ipv6" }),
            ok: true,
            rtt_ms: answer.rtt.map(millis),
            server: Some(spaced(answer.server)),
            mapped: Some(spaced(answer.mapped)),
            local: Some(spaced(answer.local)),
            software: answer.software.as_deref(),
            error: None,
            code: None,
        });
    }
    let paint = Paint::for_stdout();
    let how = if answer.mapped == answer.local {
        "as it is here: no NAT on this way".to_owned()
    } else {
        format!("{} here", answer.local)
    };
    line(format!("{} ({how})", paint.good(answer.mapped)))?;
    let software = answer.software.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
    line(paint.faint(format!("  told by {} in {}{software}", answer.server, rtt(answer.rtt))))
}

pub(crate) fn failure(as_json: bool, uri: &Uri, error: &QueryError) -> io::Result<()> {
    if !as_json {
        note(format!("floe: {error}"));
        return Ok(());
    }
    json(&Told {
        ev: "server",
        url: uri.to_string(),
        transport: "udp",
        family: None,
        ok: false,
        rtt_ms: None,
        server: None,
        mapped: None,
        local: None,
        software: None,
        error: Some(error.to_string()),
        code: error.code(),
    })
}

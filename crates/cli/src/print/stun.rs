//! What a STUN server told.

use std::io;

use floe_tokio::{Answer, QueryError};

use super::{Paint, line, note, rtt};
use crate::contract::millis;

pub(crate) fn told(told: &Result<Answer, QueryError>) -> io::Result<()> {
    match told {
        Ok(answer) => address(answer),
        Err(why) => {
            note(format!("floe: {why}"));
            Ok(())
        }
    }
}

fn address(answer: &Answer) -> io::Result<()> {
    let paint = Paint::for_stdout();
    let how = if answer.mapped == answer.local {
        "as it is here: no NAT on this way".to_owned()
    } else {
        format!("{} here", answer.local)
    };
    line(format!("{} ({how})", paint.good(answer.mapped)))?;
    let software = answer.software.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
    let took = rtt(answer.rtt.map(millis));
    line(paint.faint(format!("  told by {} in {took}{software}", answer.server)))
}

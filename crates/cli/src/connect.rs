//! `floe connect`: a path to another machine, by pasted descriptions or by JSON lines.

mod chat;
mod paste;
mod stdio;

use crate::failure::Failure;
use crate::{Connect, ConnectHow};

pub(crate) async fn run(options: Connect) -> Result<(), Failure> {
    match options.how {
        ConnectHow { stdio: true, .. } => stdio::run(options).await,
        ConnectHow { offer, .. } => chat::run(options, offer).await,
    }
}

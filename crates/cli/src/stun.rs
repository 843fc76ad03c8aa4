//! `floe stun`: what is our address, as a server sees it?

use floe_stun::Uri;
use floe_tokio::query;

use crate::failure::Failure;
use crate::{Stun, print};

/// Succeeds if any of the server's addresses answered.
pub(crate) async fn run(options: Stun) -> Result<(), Failure> {
    let uri: Uri = options.uri.parse()?;
    let mut answers = query(&uri).await?;
    if let [Err(_)] = answers.as_slice() {
        return answers.remove(0).map(drop).map_err(|error| report(&options, &uri, error));
    }
    let mut answered = false;
    for answer in &answers {
        match answer {
            Ok(answer) => print::stun::answer(options.json, &uri, answer)?,
            Err(error) => print::stun::failure(options.json, &uri, error)?,
        }
        answered |= answer.is_ok();
    }
    if answered { Ok(()) } else { Err(Failure::NobodyAnswered { servers: uri.to_string() }) }
}

/// The only question failed: its error is the error of the command.
fn report(options: &Stun, uri: &Uri, error: floe_tokio::QueryError) -> Failure {
    if options.json
        && let Err(why) = print::stun::failure(true, uri, &error)
    {
        return why.into();
    }
    error.into()
}

//! The one source of chance of the project: the operating system's.

use crate::error::BindError;

/// A seed for one machine.
pub(crate) fn seed() -> Result<[u8; 32], BindError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|why| BindError::Entropy { why: why.to_string() })?;
    Ok(seed)
}

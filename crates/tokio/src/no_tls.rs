//! What stands in the place of TLS where it was left out: values that cannot be.

use floe_stun::Failure;

use crate::connect::Refused;
use crate::stream::Opened;

#[derive(Clone, Debug)]
pub(crate) enum Tls {}

impl Tls {
    pub(crate) async fn default_roots() -> Result<Self, Refused> {
        Err((Failure::Unsupported, "this program was built without TLS (feature tls of floe-tokio)".into()))
    }

    pub(crate) async fn connect(&self, _: Opened, _: Option<String>) -> Result<Opened, Refused> {
        match *self {}
    }
}

#[derive(Clone, Debug)]
pub(crate) enum TlsIdentity {}

impl TlsIdentity {
    pub(crate) async fn accept(self, _: Opened) -> Option<Opened> {
        match self {}
    }
}

//! TLS to a server, whose certificate is checked by its name before anything is said (RFC 8489 §6.2.3).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::row::Verdict;

/// Whose word on names is taken; without anyone's, why.
#[derive(Debug)]
pub(crate) struct Trust(Result<Arc<ClientConfig>, String>);

impl Trust {
    /// What this machine trusts.
    pub(crate) fn of_this_machine() -> Self {
        let found = rustls_native_certs::load_native_certs();
        match found.certs.is_empty() {
            true => Self(Err(
                "this machine trusts no root certificate; install what Debian calls ca-certificates".into(),
            )),
            false => Self::of(found.certs),
        }
    }

    /// These alone. One that cannot be read vouches for nobody.
    pub(crate) fn of(roots: Vec<CertificateDer<'static>>) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots);
        let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let config = config.map(|config| config.with_root_certificates(store).with_no_client_auth());
        Self(config.map(Arc::new).map_err(|why| why.to_string()))
    }

    pub(crate) async fn handshake(
        &self,
        stream: TcpStream,
        name: &ServerName<'static>,
        patience: Duration,
    ) -> Result<TlsStream<TcpStream>, Verdict> {
        let config = self.0.clone().map_err(Verdict::NoAnswer)?;
        match timeout(patience, TlsConnector::from(config).connect(name.clone(), stream)).await {
            Ok(done) => done.map_err(|why| refused(&why)),
            Err(_) => Err(Verdict::NoAnswer("it does not answer the TLS handshake".into())),
        }
    }
}

fn refused(why: &io::Error) -> Verdict {
    let of_tls = why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    Verdict::Fail(match of_tls {
        Some(of_tls) => format!("TLS failed: {of_tls}"),
        None => format!("the connection ended in the TLS handshake: {why}"),
    })
}

/// Named, so that no other provider in the tree can take its place.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

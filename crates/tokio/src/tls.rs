//! TLS by rustls: whom a client trusts, and who a server is (RFC 8489 §6.2.3, RFC 8656 §3.1).

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use floe_stun::{Failure, Transport};
use thiserror::Error;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, server};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::connect::Refused;
use crate::stream::Opened;

/// Whom we trust when we connect to a server over TLS.
///
/// ```
/// use floe_tokio::Tls;
///
/// // The authority of a company, beside those that the system trusts.
/// # let authority = rcgen::generate_simple_self_signed(["turn.example.org".to_owned()]).unwrap().cert.pem();
/// # let authority = authority.as_bytes();
/// let _both = Tls::system_roots().unwrap().trusting(authority).unwrap();
/// // And that one alone.
/// let _alone = Tls::no_roots().unwrap().trusting(authority).unwrap();
/// ```
#[derive(Clone)]
pub struct Tls {
    roots: RootCertStore,
    config: Arc<ClientConfig>,
}

/// Why certificates or a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The system has no certificates of authorities that can be read.
    #[error(
        "the system's trusted certificates cannot be read: {detail}; install ca-certificates, or name a file"
    )]
    NoSystemRoots {
        /// What was tried.
        detail: String,
    },
    /// These bytes are no certificates.
    #[error("expected certificates in PEM, or one in DER: {detail}")]
    Certificates {
        /// What was found.
        detail: String,
    },
    /// These bytes are no private key.
    #[error("expected a private key in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted): {detail}")]
    Key {
        /// What was found.
        detail: String,
    },
    /// The key is not that of the first certificate, or of a kind that we do not know.
    #[error(
        "certificate and key do not serve: {detail}; the server's own certificate comes first in its chain"
    )]
    Identity {
        /// What rustls says.
        detail: String,
    },
}

impl Tls {
    /// Trusts the authorities that this system trusts. Reads files: not to be called where time matters.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn system_roots() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // What this library does not understand, no server of ours needs.
        let _ = roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let detail = found.errors.first().map_or_else(|| "there are none".into(), ToString::to_string);
            return Err(TlsError::NoSystemRoots { detail });
        }
        Self::with_roots(roots)
    }

    /// Trusts nobody, until [`trusting`](Self::trusting).
    ///
    /// # Errors
    ///
    /// None as it is built here.
    pub fn no_roots() -> Result<Self, TlsError> {
        Self::with_roots(RootCertStore::empty())
    }

    /// Trusts these authorities too: one certificate or more in PEM, or one in DER. A server's own certificate serves as
    /// well if it is self-signed and does not say that it is an authority's (`basicConstraints=CA:FALSE`).
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn trusting(mut self, certificates: &[u8]) -> Result<Self, TlsError> {
        for certificate in read_certificates(certificates)? {
            self.roots.add(certificate).map_err(|why| TlsError::Certificates { detail: why.to_string() })?;
        }
        Self::with_roots(self.roots)
    }

    fn with_roots(roots: RootCertStore) -> Result<Self, TlsError> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![TURN.into()];
        Ok(Self { roots, config: Arc::new(config) })
    }

    /// What the system trusts, read once.
    pub(crate) async fn default_roots() -> Result<Self, Refused> {
        static ROOTS: OnceLock<Result<Tls, TlsError>> = OnceLock::new();
        let read = tokio::task::spawn_blocking(|| ROOTS.get_or_init(Self::system_roots).clone());
        let read = read.await.map_err(|why| (Failure::Tls, why.to_string()))?;
        read.map_err(|why| (Failure::Tls, why.to_string()))
    }

    /// The server must prove that it has this name, or that address if it has none.
    pub(crate) async fn connect(
        &self,
        opened: Opened,
        server_name: Option<String>,
    ) -> Result<Opened, Refused> {
        let Opened { io, local, remote, seat, .. } = opened;
        let name = match server_name {
            Some(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(|why| (Failure::Tls, format!("{name}: {why}")))?,
            None => ServerName::from(remote.ip()),
        };
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let io = connector.connect(name, io).await.map_err(|why| (Failure::Tls, why.to_string()))?;
        Ok(Opened { io: Box::new(io), local, remote, transport: Transport::Tls, seat })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("roots", &self.roots.len()).finish_non_exhaustive()
    }
}

/// Who a server is: its certificate, those that vouch for it, and its key. Clones are the same one: who
/// [replaces](Self::replace) what is in it does so for all.
///
/// ```
/// use floe_tokio::TlsIdentity;
///
/// # let made = rcgen::generate_simple_self_signed(["turn.example.org".to_owned()]).unwrap();
/// # let (fullchain, privkey) = (made.cert.pem(), made.signing_key.serialize_pem());
/// // std::fs::read("fullchain.pem") and std::fs::read("privkey.pem")
/// let identity = TlsIdentity::from_pem(fullchain.as_bytes(), privkey.as_bytes()).unwrap();
/// // Later, when the certificate was renewed: connections that are open stay as they are.
/// identity.replace(fullchain.as_bytes(), privkey.as_bytes()).unwrap();
/// ```
#[derive(Clone)]
pub struct TlsIdentity(Arc<RwLock<Arc<ServerConfig>>>);

impl TlsIdentity {
    /// A chain, the server's own certificate first, and its key.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or do not fit each other.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(read_identity(chain, key)?))))
    }

    /// Shows these from now on to those who connect.
    ///
    /// # Errors
    ///
    /// As [`Self::from_pem`]; then it goes on with what it has.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let config = read_identity(chain, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// None if the client does not like what it sees, or speaks no TLS.
    pub(crate) async fn accept(self, opened: Opened) -> Option<Opened> {
        let Opened { io, local, remote, seat, .. } = opened;
        let config = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let io = TlsAcceptor::from(config).accept(io).await.ok()?;
        Some(Opened { io: Box::new(io), local, remote, transport: Transport::Tls, seat })
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").finish_non_exhaustive()
    }
}

fn read_identity(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = read_certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|why| TlsError::Key { detail: why.to_string() })?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![TURN.into(), NAT_DISCOVERY.into()];
    // An allocation lives for as long as its connection: what could be resumed is not worth what must be kept for it.
    config.session_storage = Arc::new(server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn read_certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    if bytes.starts_with(DER_SEQUENCE) {
        return Ok(vec![bytes.to_vec().into()]);
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let found = found.map_err(|why| TlsError::Certificates { detail: why.to_string() })?;
    if found.is_empty() {
        return Err(TlsError::Certificates { detail: "found none".into() });
    }
    Ok(found)
}

fn unusable(why: tokio_rustls::rustls::Error) -> TlsError {
    TlsError::Identity { detail: why.to_string() }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// RFC 7443 §4.
const TURN: &str = "stun.turn";

/// RFC 7443 §4.
const NAT_DISCOVERY: &str = "stun.nat-discovery";

/// What a certificate in DER begins with, and no text does.
const DER_SEQUENCE: &[u8] = &[0x30, 0x82];

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str) -> (String, String, Vec<u8>) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem(), made.cert.der().to_vec())
    }

    #[test]
    fn roots_come_in_pem_and_in_der() {
        let ((first, _, der), (second, ..)) = (made("a.example"), made("b.example"));
        let tls = Tls::no_roots().unwrap().trusting((first + &second).as_bytes()).unwrap();
        assert_eq!(tls.roots.len(), 2);
        assert_eq!(Tls::no_roots().unwrap().trusting(&der).unwrap().roots.len(), 1);
        for nothing in [&b""[..], b"-----BEGIN", b"\x30\x82\0\0", b"hello"] {
            let why = Tls::no_roots().unwrap().trusting(nothing).unwrap_err();
            assert!(matches!(why, TlsError::Certificates { .. }), "{why}");
        }
    }

    #[test]
    fn a_key_that_is_not_of_the_certificate_is_refused_and_changes_nothing() {
        let ((chain, key, _), (other_chain, other_key, _)) = (made("a.example"), made("a.example"));
        let identity = TlsIdentity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        let before = Arc::as_ptr(&identity.0.read().unwrap());
        let why = identity.replace(chain.as_bytes(), other_key.as_bytes()).unwrap_err();
        assert!(matches!(why, TlsError::Identity { .. }), "{why}");
        let why = identity.replace(chain.as_bytes(), b"no key").unwrap_err();
        assert!(matches!(why, TlsError::Key { .. }), "{why}");
        assert_eq!(Arc::as_ptr(&identity.0.read().unwrap()), before);
        identity.replace(other_chain.as_bytes(), other_key.as_bytes()).unwrap();
        assert_ne!(Arc::as_ptr(&identity.0.read().unwrap()), before);
    }
}

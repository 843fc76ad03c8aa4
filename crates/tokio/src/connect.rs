//! Opens streams: to servers, to peers of TCP allocations, and those that others open to us.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe_stun::{Failure, SocketId, Transport};
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;

use crate::seats::{Seat, Seats};
use crate::stream::Opened;
use crate::tls::{Tls, TlsIdentity};

/// Why a stream could not be opened, for people.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{to}: no connection over {}: {detail}; {}", name(*.transport), advice(*.why))]
#[non_exhaustive]
pub struct ConnectError {
    /// Where to.
    pub to: SocketAddr,
    /// [`Transport::Tcp`] or [`Transport::Tls`].
    pub transport: Transport,
    /// What the machine was told.
    pub why: Failure,
    /// What the system or TLS said, such as the names that a certificate is good for.
    pub detail: String,
}

fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tls => "TLS",
        _ => "TCP",
    }
}

fn advice(why: Failure) -> &'static str {
    match why {
        Failure::Tls => {
            "check the server's name, that its certificate is for that name, and who is trusted to sign it"
        }
        Failure::Refused => "check the port, and that the server runs",
        Failure::Exhausted => "raise the limit of open files, or use fewer connections",
        Failure::Unsupported => "use another transport",
        _ => "check address, port and firewall",
    }
}

/// What is to be opened.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) to: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) server_name: Option<String>,
}

impl Target {
    /// Connects, and makes it TLS where that is asked for.
    pub(crate) async fn open(self, tls: Option<Tls>) -> Result<Opened, ConnectError> {
        let (to, transport) = (self.to, self.transport);
        let opening = tokio::time::timeout(CONNECT_PATIENCE, self.try_open(tls));
        let (why, detail) = match opening.await {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(refused)) => refused,
            Err(_) => (Failure::TimedOut, format!("no answer within {} s", CONNECT_PATIENCE.as_secs())),
        };
        Err(ConnectError { to, transport, why, detail })
    }

    async fn try_open(self, tls: Option<Tls>) -> Result<Opened, Refused> {
        let Self { to, transport, server_name } = self;
        if !transport.is_stream() {
            return Err((Failure::Unsupported, "it carries no streams".into()));
        }
        let opened = open_tcp(TcpStream::connect(to).await, None).map_err(refused)?;
        match transport {
            Transport::Tls => {
                let tls = match tls {
                    Some(tls) => tls,
                    None => Tls::default_roots().await?,
                };
                tls.connect(opened, server_name).await
            }
            _ => Ok(opened),
        }
    }
}

/// Connects to a peer from an address that may be listened on too (RFC 6062 §5.2).
pub(crate) async fn open_peer(bind: SocketAddr, to: SocketAddr) -> Result<Opened, Failure> {
    let connecting = async {
        let socket = shared_socket(bind, true).map_err(|why| judge(&why))?;
        open_tcp(socket.connect(to).await, None).map_err(|why| judge(&why))
    };
    tokio::time::timeout(PEER_PATIENCE, connecting).await.unwrap_or(Err(Failure::TimedOut))
}

fn open_tcp(tcp: io::Result<TcpStream>, seat: Option<Seat>) -> io::Result<Opened> {
    let tcp = tcp?;
    // What is written is written whole, and waits for nothing. A system that refuses this is slower.
    let _ = tcp.set_nodelay(true);
    let (local, remote) = (tcp.local_addr()?, tcp.peer_addr()?);
    Ok(Opened { io: Box::new(tcp), local, remote, transport: Transport::Tcp, seat })
}

/// A socket whose address may be had again at once, and by others of ours at the same time if it is to be shared.
fn shared_socket(bind: SocketAddr, shared: bool) -> io::Result<TcpSocket> {
    let socket = if bind.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if bind.is_ipv6() {
        socket2::SockRef::from(&socket).set_only_v6(true)?;
    }
    // Elsewhere the option lets others steal the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    socket.set_reuseport(shared)?;
    #[cfg(not(unix))]
    let _ = shared;
    socket.bind(bind)?;
    Ok(socket)
}

/// Who may connect to a listener.
#[derive(Clone, Debug)]
pub(crate) enum Audience {
    /// Peers of a TCP allocation: nothing is read from them yet.
    Peers,
    /// Clients of a server.
    Clients,
    /// The same inside TLS.
    TlsClients(TlsIdentity),
}

/// A TCP socket that others connect to.
pub(crate) struct Listener {
    id: SocketId,
    local: SocketAddr,
    tcp: TcpListener,
    pub(crate) audience: Audience,
    seats: Arc<Seats>,
    closed: Notify,
}

impl Listener {
    pub(crate) fn bind(
        id: SocketId,
        address: SocketAddr,
        audience: Audience,
        seats: Arc<Seats>,
        shared: bool,
    ) -> io::Result<Self> {
        let tcp = shared_socket(address, shared)?.listen(BACKLOG)?;
        Ok(Self { id, local: tcp.local_addr()?, tcp, audience, seats, closed: Notify::new() })
    }

    pub(crate) const fn id(&self) -> SocketId {
        self.id
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn transport(&self) -> Transport {
        match self.audience {
            Audience::Peers | Audience::Clients => Transport::Tcp,
            Audience::TlsClients(_) => Transport::Tls,
        }
    }

    pub(crate) fn close(&self) {
        self.closed.notify_one();
    }

    /// The next one who has connected and for whom there is a place; none when the listener was closed.
    pub(crate) async fn accept(self: Arc<Self>) -> Option<(Arc<Self>, Opened)> {
        let opened = tokio::select! {
            biased;
            () = self.closed.notified() => None,
            opened = self.next() => Some(opened),
        }?;
        Some((self, opened))
    }

    async fn next(&self) -> Opened {
        loop {
            match self.tcp.accept().await {
                // Who finds no place is hung up on.
                Ok((tcp, from)) => {
                    let seat = self.seats.take(from.ip());
                    if let Some(seat) = seat
                        && let Ok(opened) = open_tcp(Ok(tcp), Some(seat))
                    {
                        return opened;
                    }
                }
                Err(why) if is_of_one_connection(&why) => {}
                // Out of descriptors or memory: who waits in the backlog waits a little longer.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} listens on {} for {:?}", self.id, self.local, self.audience)
    }
}

/// Makes TLS of what a client has opened, in time.
pub(crate) async fn greet(opened: Opened, identity: TlsIdentity) -> Option<Opened> {
    let patience = opened.seat.as_ref().map_or(CONNECT_PATIENCE, Seat::handshake);
    tokio::time::timeout(patience, identity.accept(opened)).await.ok()?
}

/// What went wrong, in the words of the machines and in those of the system.
pub(crate) type Refused = (Failure, String);

fn refused(why: io::Error) -> Refused {
    (judge(&why), why.to_string())
}

fn judge(why: &io::Error) -> Failure {
    match why.kind() {
        io::ErrorKind::TimedOut => Failure::TimedOut,
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Failure::Refused,
        io::ErrorKind::AddrInUse => Failure::InUse,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::AddrNotAvailable => Failure::Unreachable,
        io::ErrorKind::Unsupported => Failure::Unsupported,
        _ => Failure::Exhausted,
    }
}

fn is_of_one_connection(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// As long as a client waits for an answer over a stream (RFC 8489 §6.2.2) is too long for a person.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// RFC 6062 §5.2: "The timeout value MUST be at least 30 seconds."
const PEER_PATIENCE: Duration = Duration::from_secs(30);

/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// Long enough for others to give descriptors back, and short for who waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

//! UDP sockets with names: batched receiving, sending from several buffers, ICMP errors.

use std::array;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use floe_stun::{Failure, Icmp, SocketId};
use quinn_udp::{RecvMeta, UdpSocketState};
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::Notify;

/// One UDP socket.
pub(crate) struct Socket {
    id: SocketId,
    local: SocketAddr,
    io: UdpSocket,
    state: UdpSocketState,
    /// Whether the system cuts what is too large for the path, as it was told last.
    cuts: AtomicBool,
    /// The largest segment of a train that the system might take; none is larger than a datagram.
    segment_limit: AtomicUsize,
    closed: Notify,
}

/// Whether a datagram may be cut on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragments {
    /// The network cuts what is too large for it.
    Allowed,
    /// What is too large is refused.
    Forbidden,
}

impl Socket {
    /// With `shared` others of the same user may bind the address too, and the system spreads what comes over them.
    pub(crate) fn bind(id: SocketId, address: SocketAddr, shared: bool) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(shared)?;
        #[cfg(not(unix))]
        let _ = shared;
        socket.bind(&SockAddr::from(address))?;
        // Larger buffers bridge the time until this task gets its turn. What the system refuses is no loss.
        let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(BUFFER_BYTES);
        icmp::enable(&socket, address.ip());
        let io = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new((&io).into())?;
        Ok(Self {
            id,
            local: io.local_addr()?,
            io,
            state,
            // Forbidden by quinn-udp.
            cuts: AtomicBool::new(false),
            segment_limit: AtomicUsize::new(usize::MAX),
            closed: Notify::new(),
        })
    }

    pub(crate) const fn id(&self) -> SocketId {
        self.id
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Gives the socket back when there is something to receive; none when it was closed.
    pub(crate) async fn readable(self: Arc<Self>) -> Option<Arc<Self>> {
        let open = tokio::select! {
            biased;
            () = self.closed.notified() => false,
            ready = self.io.ready(Interest::READABLE | Interest::ERROR) => ready.is_ok(),
        };
        open.then_some(self)
    }

    pub(crate) fn close(&self) {
        self.closed.notify_one();
    }

    /// Sends one datagram made of these parts, at once or not at all. Where the system knows no exceptions, one that is
    /// too large for the path is refused even if fragments are allowed.
    pub(crate) fn send(&self, to: SocketAddr, parts: &[&[u8]; 3], fragments: Fragments) -> io::Result<()> {
        self.set_fragments(to, fragments);
        let socket = SockRef::from(&self.io);
        let (parts, to) = (parts.map(IoSlice::new), SockAddr::from(to));
        match socket.send_to_vectored(&parts, &to) {
            Ok(_) => Ok(()),
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => Err(why),
            // An ICMP error about an earlier datagram fails the next call, wherever that goes: ask again.
            Err(_) => socket.send_to_vectored(&parts, &to).map(drop),
        }
    }

    /// Sends datagrams of `segment` bytes, the last of which may be shorter, that lie one behind the other: with one call
    /// of the system where it can do that, and one by one where it cannot.
    pub(crate) fn send_train(
        &self,
        to: SocketAddr,
        bytes: &[u8],
        segment: usize,
        fragments: Fragments,
    ) -> io::Result<()> {
        if bytes.len() > segment && segment <= self.segment_limit.load(Ordering::Relaxed) {
            self.set_fragments(to, fragments);
            let sent = match gso::send(&self.io, to, bytes, segment) {
                // As above.
                Err(why) if !may_be_about_segments(&why) && why.kind() != io::ErrorKind::WouldBlock => {
                    gso::send(&self.io, to, bytes, segment)
                }
                sent => sent,
            };
            match sent {
                Err(why) if may_be_about_segments(&why) => {
                    self.segment_limit.fetch_min(limit_after(&why, segment), Ordering::Relaxed);
                }
                sent => return sent,
            }
        }
        bytes.chunks(segment.max(1)).try_for_each(|datagram| self.send(to, &[datagram, &[], &[]], fragments))
    }

    /// Datagrams that one call of the system may send.
    pub(crate) fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn set_fragments(&self, to: SocketAddr, fragments: Fragments) {
        let allowed = fragments == Fragments::Allowed;
        if self.cuts.swap(allowed, Ordering::Relaxed) != allowed {
            fragments::allow(&self.io, to.is_ipv4(), allowed);
        }
    }

    /// Fills the batch with what has arrived. An error other than "would block" is one about an earlier datagram of
    /// ours, and the socket stays readable.
    pub(crate) fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        let receive = || batch.fill(|slots, meta| self.state.recv((&self.io).into(), slots, meta));
        self.io.try_io(Interest::READABLE, receive)
    }

    /// The next ICMP error: where the datagram had gone, and what the network said.
    pub(crate) fn next_error(&self) -> Option<(SocketAddr, Icmp)> {
        self.io.try_io(Interest::ERROR, || icmp::next(&self.io)).ok()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} on {}", self.id, self.local)
    }
}

/// EINVAL and EIO: the system or the network card takes no trains, or none of this kind; EMSGSIZE: a segment is larger than
/// the interface takes, and trains are never cut into fragments.
fn may_be_about_segments(why: &io::Error) -> bool {
    quinn_udp::is_msg_size_err(why)
        || matches!(why.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
        || is_eio(why)
}

#[cfg(target_os = "linux")]
fn is_eio(why: &io::Error) -> bool {
    why.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

#[cfg(not(target_os = "linux"))]
const fn is_eio(_: &io::Error) -> bool {
    false
}

/// EIO is of the card, whatever the size.
fn limit_after(why: &io::Error, segment: usize) -> usize {
    if is_eio(why) { 0 } else { segment.saturating_sub(1) }
}

/// Room for many datagrams at a time, used again and again.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    meta: [RecvMeta; SLOTS],
    filled: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; SLOTS * SLOT_BYTES], meta: [RecvMeta::default(); SLOTS], filled: 0 }
    }

    fn fill(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> io::Result<usize>,
    ) -> io::Result<()> {
        self.filled = 0;
        let mut free = self.bytes.chunks_exact_mut(SLOT_BYTES);
        let mut slots: [_; SLOTS] = array::from_fn(|_| IoSliceMut::new(free.next().unwrap_or_default()));
        self.filled = receive(&mut slots, &mut self.meta)?;
        Ok(())
    }

    /// What the last [`Socket::receive`] brought: source and payload. The system may have put several datagrams of
    /// one source and size into one slot.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.meta.iter().zip(self.bytes.chunks_exact(SLOT_BYTES)).take(self.filled).flat_map(
            |(meta, slot)| {
                let bytes = slot.get(..meta.len).unwrap_or_default();
                let empty = bytes.is_empty().then_some(bytes);
                let datagrams = empty.into_iter().chain(bytes.chunks(meta.stride.max(1)));
                datagrams.map(|datagram| (meta.addr, datagram))
            },
        )
    }

    /// How many datagrams lie in each slot.
    #[cfg(test)]
    pub(crate) fn lengths(&self) -> Vec<usize> {
        let filled = self.meta.iter().take(self.filled);
        filled.map(|meta| meta.len.div_ceil(meta.stride.max(1)).max(1)).collect()
    }

    /// Whether more may be waiting.
    pub(crate) const fn is_full(&self) -> bool {
        self.filled == SLOTS
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} of {SLOTS})", self.filled)
    }
}

/// What a failed call to the system says about the destination.
pub(crate) fn judge_send(why: &io::Error) -> Option<Icmp> {
    match why.kind() {
        io::ErrorKind::WouldBlock => None,
        _ if quinn_udp::is_msg_size_err(why) => Some(Icmp::TooBig { mtu: None }),
        _ => Some(Icmp::Unreachable),
    }
}

/// What a failed bind says in the words of the machines.
pub(crate) fn judge_bind(why: &io::Error) -> Failure {
    match why.kind() {
        io::ErrorKind::AddrInUse => Failure::InUse,
        io::ErrorKind::AddrNotAvailable => Failure::Unreachable,
        io::ErrorKind::Unsupported => Failure::Unsupported,
        _ => Failure::Exhausted,
    }
}

/// ICMP errors by the error queue of Linux, which alone tells where the refused datagram had gone.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod icmp {
    use super::{Icmp, IpAddr, SocketAddr, UdpSocket, io};
    use std::net::{SocketAddrV4, SocketAddrV6};
    use std::os::fd::AsRawFd;

    use nix::libc::{self, sock_extended_err};
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

    /// Without it ICMP errors go unseen, which costs time and nothing else.
    pub(super) fn enable(socket: &socket2::Socket, ip: IpAddr) {
        let _ = match ip {
            IpAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvErr, &true),
            IpAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvErr, &true),
        };
    }

    pub(super) fn next(socket: &UdpSocket) -> io::Result<(SocketAddr, Icmp)> {
        loop {
            let mut payload = [0; 1];
            let mut slices = [io::IoSliceMut::new(&mut payload)];
            let mut control =
                nix::cmsg_space!(sock_extended_err, libc::sockaddr_in6, [u8; OTHER_CONTROL_BYTES]);
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let message =
                recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
            let what = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                    judge(&error)
                }
                _ => None,
            });
            if let (Some(to), Some(what)) = (message.address.as_ref().and_then(address), what) {
                return Ok((to, what));
            }
        }
    }

    fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
        match (storage.as_sockaddr_in(), storage.as_sockaddr_in6()) {
            (Some(v4), _) => Some(SocketAddrV4::from(*v4).into()),
            (_, Some(v6)) => Some(SocketAddrV6::from(*v6).into()),
            _ => None,
        }
    }

    /// Room for what else the socket tells: time, interface and address of arrival, traffic class.
    const OTHER_CONTROL_BYTES: usize = 256;

    /// Type 3 of ICMP (RFC 792), types 1 and 2 of ICMPv6 (RFC 4443 §3).
    const fn judge(error: &sock_extended_err) -> Option<Icmp> {
        match (error.ee_origin, error.ee_type, error.ee_code) {
            (libc::SO_EE_ORIGIN_ICMP, 3, 4) | (libc::SO_EE_ORIGIN_ICMP6, 2, _) => {
                Some(Icmp::TooBig { mtu: Some(error.ee_info) })
            }
            (libc::SO_EE_ORIGIN_ICMP, 3, _) | (libc::SO_EE_ORIGIN_ICMP6, 1, _) => Some(Icmp::Unreachable),
            _ => None,
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod icmp {
    use super::{Icmp, IpAddr, SocketAddr, UdpSocket, io};

    pub(super) fn enable(_socket: &socket2::Socket, _ip: IpAddr) {}

    pub(super) fn next(_socket: &UdpSocket) -> io::Result<(SocketAddr, Icmp)> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// What quinn-udp forbids on every socket, for one datagram.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod fragments {
    use nix::sys::socket::{setsockopt, sockopt::Ipv6DontFrag};
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };

    use super::UdpSocket;

    /// What the system refuses costs the one datagram.
    pub(super) fn allow(socket: &UdpSocket, is_ipv4: bool, allowed: bool) {
        if is_ipv4 {
            let how = if allowed { Ipv4PathMtuDiscovery::DONT } else { Ipv4PathMtuDiscovery::PROBE };
            let _ = set_ip_mtu_discover(socket, how);
        } else {
            let how = if allowed { Ipv6PathMtuDiscovery::DONT } else { Ipv6PathMtuDiscovery::PROBE };
            let _ = set_ipv6_mtu_discover(socket, how);
            let _ = setsockopt(socket, Ipv6DontFrag, &!allowed);
        }
    }
}

/// Many datagrams with one call: the system cuts them apart, late.
#[cfg(target_os = "linux")]
mod gso {
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};

    use super::{IoSlice, SocketAddr, UdpSocket, io};

    pub(super) fn send(socket: &UdpSocket, to: SocketAddr, bytes: &[u8], segment: usize) -> io::Result<()> {
        let size = u16::try_from(segment).map_err(|_| io::ErrorKind::InvalidInput)?;
        let (control, to) = ([ControlMessage::UdpGsoSegments(&size)], SockaddrStorage::from(to));
        sendmsg(socket.as_raw_fd(), &[IoSlice::new(bytes)], &control, MsgFlags::MSG_DONTWAIT, Some(&to))?;
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod gso {
    use super::{SocketAddr, UdpSocket, io};

    pub(super) fn send(_: &UdpSocket, _: SocketAddr, _: &[u8], _: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod fragments {
    use super::UdpSocket;

    pub(super) const fn allow(_socket: &UdpSocket, _is_ipv4: bool, _allowed: bool) {}
}

/// Datagrams taken with one call of the system.
const SLOTS: usize = 16;

/// The largest datagram, or as many smaller ones as the system puts together.
const SLOT_BYTES: usize = 65_536;

const BUFFER_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    use crate::sockets::Sockets;

    fn loopback(sockets: &mut Sockets) -> Arc<Socket> {
        sockets.bind("127.0.0.1:0".parse().unwrap()).unwrap()
    }

    fn send(from: &Socket, to: &Socket, parts: &[&[u8]; 3]) {
        from.send(to.local(), parts, Fragments::Forbidden).unwrap();
    }

    /// All that has arrived, and how many slots it filled.
    async fn received(socket: &Arc<Socket>) -> (Vec<Vec<u8>>, usize) {
        let socket = Arc::clone(socket).readable().await.unwrap();
        let mut batch = Batch::new();
        socket.receive(&mut batch).unwrap();
        (batch.datagrams().map(|(_, bytes)| bytes.to_vec()).collect(), batch.filled)
    }

    #[tokio::test]
    async fn many_datagrams_arrive_with_one_call_and_each_for_itself() {
        let mut sockets = Sockets::default();
        let (a, b) = (loopback(&mut sockets), loopback(&mut sockets));
        for n in 0..10_u8 {
            send(&a, &b, &[b"head", &[n], b"tail"]);
        }
        let b = b.readable().await.unwrap();
        let mut batch = Batch::new();
        b.receive(&mut batch).unwrap();

        let expected: Vec<_> = (0..10).map(|n| (a.local(), [b"head", &[n][..], b"tail"].concat())).collect();
        let received: Vec<_> = batch.datagrams().map(|(from, bytes)| (from, bytes.to_vec())).collect();
        assert_eq!(received, expected);
        assert!(!batch.is_full());
    }

    #[tokio::test]
    async fn an_empty_datagram_is_one_too() {
        let mut sockets = Sockets::default();
        let (a, b) = (loopback(&mut sockets), loopback(&mut sockets));
        for data in [&b""[..], b"x", b""] {
            send(&a, &b, &[data, b"", b""]);
        }
        assert_eq!(received(&b).await.0, [&b""[..], b"x", b""]);
    }

    #[tokio::test]
    async fn a_closed_socket_frees_its_port_and_keeps_its_name() {
        let mut sockets = Sockets::default();
        let socket = loopback(&mut sockets);
        let (id, local) = (socket.id(), socket.local());
        let waiting = socket.readable();
        sockets.close(id);
        assert!(waiting.await.is_none());
        let again = sockets.bind(local).unwrap();
        assert_ne!(again.id(), id);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn fragments_are_allowed_for_some_datagrams_and_forbidden_for_others() {
        use nix::sys::socket::{getsockopt, sockopt::Ipv6DontFrag};
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery as V4, ip_mtu_discover, ipv6_mtu_discover};

        let mut sockets = Sockets::default();
        let v4 = loopback(&mut sockets);
        let large = [b"large", &b""[..], b""];
        v4.send(v4.local(), &large, Fragments::Allowed).unwrap();
        assert_eq!(ip_mtu_discover(&v4.io).unwrap(), V4::DONT);
        v4.send(v4.local(), &large, Fragments::Forbidden).unwrap();
        assert_eq!(ip_mtu_discover(&v4.io).unwrap(), V4::PROBE);

        let v6 = sockets.bind("[::1]:0".parse().unwrap()).unwrap();
        let forbidden = (ipv6_mtu_discover(&v6.io).unwrap(), getsockopt(&v6.io, Ipv6DontFrag).unwrap());
        assert!(forbidden.1);
        v6.send(v6.local(), &large, Fragments::Allowed).unwrap();
        assert!(!getsockopt(&v6.io, Ipv6DontFrag).unwrap());
        v6.send(v6.local(), &large, Fragments::Forbidden).unwrap();
        let again = (ipv6_mtu_discover(&v6.io).unwrap(), getsockopt(&v6.io, Ipv6DontFrag).unwrap());
        assert_eq!(again, forbidden);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_train_arrives_as_the_same_datagrams_in_one_slot() {
        let mut sockets = Sockets::default();
        let (a, b) = (loopback(&mut sockets), loopback(&mut sockets));
        let bytes: Vec<u8> = (0..=255).cycle().take(9 * 1200 + 7).collect();
        a.send_train(b.local(), &bytes, 1200, Fragments::Allowed).unwrap();
        let (datagrams, slots) = received(&b).await;
        assert_eq!(datagrams, bytes.chunks(1200).map(<[u8]>::to_vec).collect::<Vec<_>>());
        assert_eq!((datagrams.len(), slots), (10, 1), "GSO and GRO are at work");
        assert_eq!(a.segment_limit.load(Ordering::Relaxed), usize::MAX);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_train_that_the_system_refuses_goes_out_one_by_one() {
        let mut sockets = Sockets::default();
        let (a, b) = (loopback(&mut sockets), loopback(&mut sockets));
        // More segments than any kernel takes.
        let bytes: Vec<u8> = (0..=255).cycle().take(10 * 300).collect();
        a.send_train(b.local(), &bytes, 10, Fragments::Allowed).unwrap();
        assert_eq!(a.segment_limit.load(Ordering::Relaxed), 9, "those of this size are not tried again");
        let mut datagrams = Vec::new();
        while datagrams.len() < 300 {
            datagrams.extend(received(&b).await.0);
        }
        assert_eq!(datagrams, bytes.chunks(10).map(<[u8]>::to_vec).collect::<Vec<_>>());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_icmp_error_names_the_address_it_is_about() {
        let mut sockets = Sockets::default();
        // An address that no other test uses, lest somebody has the port by then.
        let (socket, dead) = (loopback(&mut sockets), sockets.bind("127.84.2.1:0".parse().unwrap()).unwrap());
        let to = dead.local();
        sockets.close(dead.id());
        drop(dead);
        socket.send(to, &[b"anyone?", b"", b""], Fragments::Forbidden).unwrap();
        let socket = socket.readable().await.unwrap();
        assert_eq!(socket.next_error(), Some((to, Icmp::Unreachable)));
        assert_eq!(socket.next_error(), None);
        let alive = loopback(&mut sockets);
        send(&socket, &alive, &[b"still here", b"", b""]);
    }
}

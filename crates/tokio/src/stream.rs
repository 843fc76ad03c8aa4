//! TCP streams, and TLS in them: what is read is cut into frames, what is written waits in a bounded outbox.
//!
//! ```text
//!   send ──whole or not at all──▶ outbox ──poll_news──▶ wire
//!   Unread ◀── News::Bytes ◀───── poll_news ◀────────── wire
//!     │ next: one frame after the other                   ▲
//!     └── taken: what is left, the outbox and the wire ───┴──▶ RawStream
//! ```
//!
//! There is no task here: the driver polls its streams, so that nothing is left of them when it is dropped. What a stream
//! has read is cut before more of it is read, which holds back who sends too much.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use floe_stun::stream::{Cutter, Framing, StreamError};
use floe_stun::{SocketId, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::seats::Seat;

/// What both kinds of streams can do.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A stream that is open and has no name yet.
pub(crate) struct Opened {
    pub(crate) io: Box<dyn Duplex>,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) transport: Transport,
    /// Of one that somebody has opened to us.
    pub(crate) seat: Option<Seat>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} stream to {}", self.transport, self.remote)
    }
}

/// One stream that is cut into frames.
pub(crate) struct Stream {
    id: SocketId,
    remote: SocketAddr,
    wire: Mutex<Wire>,
}

/// What the driver and those who send share.
struct Wire {
    /// None once it was taken, or is over.
    io: Option<Io>,
    outbox: VecDeque<u8>,
    /// Whether something was written that TLS may hold back.
    unflushed: bool,
    /// Since when nothing of the outbox has been taken.
    stalled: Option<Instant>,
    /// When it has been without a whole frame for too long.
    idle: Option<Instant>,
    /// Since when it is only to write what is in its outbox.
    closing: Option<Instant>,
    task: Option<Waker>,
}

/// The system's end of a stream, with the place it takes.
struct Io {
    duplex: Box<dyn Duplex>,
    seat: Option<Seat>,
}

impl Io {
    /// When whoever sits here, and begins to be silent now, is silent for too long.
    fn patience_ends(&self) -> Option<Instant> {
        self.seat.as_ref().map(|seat| Instant::now() + seat.patience())
    }
}

/// What a stream has for its driver.
#[derive(Debug)]
pub(crate) enum News {
    /// Some bytes came.
    Bytes(Vec<u8>),
    /// The other side has ended it, or it is of no use any more.
    Over,
}

impl Stream {
    pub(crate) fn new(id: SocketId, opened: Opened) -> Arc<Self> {
        let Opened { io, remote, seat, .. } = opened;
        let io = Io { duplex: io, seat };
        let wire = Wire {
            idle: io.patience_ends(),
            io: Some(io),
            outbox: VecDeque::new(),
            unflushed: false,
            stalled: None,
            closing: None,
            task: None,
        };
        Arc::new(Self { id, remote, wire: Mutex::new(wire) })
    }

    pub(crate) const fn id(&self) -> SocketId {
        self.id
    }

    pub(crate) const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Writes these parts one behind the other: all of them, in time, or none.
    pub(crate) fn send(&self, parts: &[&[u8]; 3]) -> io::Result<()> {
        self.put(parts, OUTBOX_BYTES)
    }

    /// The same for what a machine says itself, and nobody would say again: it finds room behind data that is not taken.
    pub(crate) fn transmit(&self, bytes: &[u8]) -> io::Result<()> {
        self.put(&[bytes, &[], &[]], OUTBOX_BYTES + CONTROL_BYTES)
    }

    fn put(&self, parts: &[&[u8]; 3], room: usize) -> io::Result<()> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut wire = self.wire();
        if wire.io.is_none() || wire.closing.is_some() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if wire.outbox.len() + len > room {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for part in parts {
            wire.outbox.extend(*part);
        }
        wire.wake();
        Ok(())
    }

    /// A whole frame has come. Half of one does not count, or a byte now and then would keep a place for ever.
    pub(crate) fn note_frame(&self) {
        let mut wire = self.wire();
        wire.idle = wire.io.as_ref().and_then(Io::patience_ends);
    }

    /// Ends it when what was sent is written.
    pub(crate) fn close(&self) {
        let mut wire = self.wire();
        wire.closing.get_or_insert_with(Instant::now);
        wire.wake();
    }

    /// Takes the stream out of here, to be read and written by other rules.
    fn take(&self) -> Option<(Io, VecDeque<u8>)> {
        let mut wire = self.wire();
        let io = wire.io.take()?;
        wire.wake();
        Some((io, std::mem::take(&mut wire.outbox)))
    }

    /// Writes what there is to be written until something has come; none once the stream is closed or taken.
    pub(crate) async fn news(self: Arc<Self>) -> Option<(Arc<Self>, News)> {
        let mut timer = None;
        let news = poll_fn(|cx| self.poll_news(cx, &mut timer)).await?;
        Some((self, news))
    }

    fn poll_news(&self, cx: &mut Context<'_>, timer: &mut Timer) -> Poll<Option<News>> {
        let mut wire = self.wire();
        wire.note(cx.waker());
        let written = wire.poll_write(cx);
        if wire.io.is_none() {
            return Poll::Ready(None);
        }
        let is_over = match (written, wire.closing) {
            (Poll::Ready(Ok(())), None) => false,
            (Poll::Ready(Ok(())), Some(_)) => wire.poll_shutdown(cx).is_ready(),
            (Poll::Ready(Err(_)), _) => true,
            (Poll::Pending, _) => false,
        };
        if is_over || wire.poll_patience(cx, timer, self.remote).is_ready() {
            let told = wire.closing.is_some();
            wire.io = None;
            return Poll::Ready((!told).then_some(News::Over));
        }
        if wire.closing.is_some() {
            return Poll::Pending;
        }
        wire.poll_read(cx).map(Some)
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} to {}", self.id, self.remote)
    }
}

type Timer = Option<Pin<Box<Sleep>>>;

impl Wire {
    fn note(&mut self, waker: &Waker) {
        if !self.task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            self.task = Some(waker.clone());
        }
    }

    fn wake(&self) {
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(Io { duplex, .. }) = &mut self.io else { return Poll::Ready(Ok(())) };
        while let (front @ [_, ..], _) = self.outbox.as_slices() {
            match Pin::new(&mut *duplex).poll_write(cx, front) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(taken)) => {
                    self.outbox.drain(..taken);
                    (self.unflushed, self.stalled) = (true, None);
                }
                Poll::Ready(Err(why)) => return Poll::Ready(Err(why)),
                Poll::Pending => {
                    self.stalled.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                }
            }
        }
        self.outbox.shrink_to(KEPT_BYTES);
        if self.unflushed {
            match Pin::new(&mut *duplex).poll_flush(cx) {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => {
                    self.stalled.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                }
            }
        }
        (self.unflushed, self.stalled) = (false, None);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(Io { duplex, .. }) = &mut self.io else { return Poll::Ready(()) };
        Pin::new(duplex).poll_shutdown(cx).map(drop)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        let Some(Io { duplex, .. }) = &mut self.io else { return Poll::Ready(News::Over) };
        let mut room = [MaybeUninit::uninit(); READ_BYTES];
        let mut room = ReadBuf::uninit(&mut room);
        let read = ready!(Pin::new(duplex).poll_read(cx, &mut room));
        Poll::Ready(match (read, room.filled()) {
            (Err(_), _) | (Ok(()), []) => News::Over,
            (Ok(()), bytes) => News::Bytes(bytes.to_vec()),
        })
    }

    /// Ready when there is nothing more to wait for.
    fn poll_patience(&mut self, cx: &mut Context<'_>, timer: &mut Timer, remote: SocketAddr) -> Poll<()> {
        loop {
            let ends = [self.closing, self.stalled].map(|since| since.map(|since| since + WRITE_PATIENCE));
            let Some(end) = ends.into_iter().chain([self.idle]).flatten().min() else { return Poll::Pending };
            let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
            if timer.deadline() != end {
                timer.as_mut().reset(end);
            }
            ready!(timer.as_mut().poll(cx));
            let Some(seat) = self.io.as_ref().and_then(|io| io.seat.as_ref()) else { return Poll::Ready(()) };
            if self.idle != Some(end) || !seat.has_allocation(remote) {
                return Poll::Ready(());
            }
            self.idle = Some(Instant::now() + seat.patience());
        }
    }
}

/// What was read of a stream and has not been cut.
#[derive(Debug)]
pub(crate) struct Unread {
    cutter: Cutter,
    bytes: Vec<u8>,
    at: usize,
}

impl Unread {
    pub(crate) const fn new() -> Self {
        Self { cutter: Cutter::new(Framing::Turn), bytes: Vec::new(), at: 0 }
    }

    /// What has come. Of what came before, all has been cut.
    pub(crate) fn put(&mut self, bytes: Vec<u8>) {
        (self.bytes, self.at) = (bytes, 0);
    }

    /// The next frame.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, StreamError> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        let frame = self.cutter.datagram(&mut rest)?;
        self.at = self.bytes.len() - rest.len();
        Ok(frame)
    }

    /// All that is no frame yet, in the order it came.
    fn into_rest(self) -> Vec<u8> {
        let mut rest = self.cutter.into_rest();
        rest.extend_from_slice(self.bytes.get(self.at..).unwrap_or_default());
        rest
    }
}

/// A byte stream to a peer of a TCP allocation (RFC 6062), to be read and written as one pleases.
///
/// Dropping it ends it; [`shutdown`](tokio::io::AsyncWriteExt::shutdown) ends what we send, and what the peer sends still
/// arrives.
pub struct RawStream {
    io: Io,
    /// What was read too early, and how much of it has been handed out.
    early: Vec<u8>,
    read: usize,
    /// What was transmitted before.
    unsent: VecDeque<u8>,
}

impl RawStream {
    /// None if the stream is over.
    pub(crate) fn take(stream: &Stream, unread: Unread) -> Option<Self> {
        let (io, unsent) = stream.take()?;
        Some(Self { io, early: unread.into_rest(), read: 0, unsent })
    }

    /// One of which nothing was read.
    pub(crate) fn fresh(Opened { io: duplex, .. }: Opened) -> Self {
        // Its place among those that wait is free.
        Self { io: Io { duplex, seat: None }, early: Vec::new(), read: 0, unsent: VecDeque::new() }
    }

    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let (front @ [_, ..], _) = self.unsent.as_slices() {
            match ready!(Pin::new(&mut self.io.duplex).poll_write(cx, front))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => drop(self.unsent.drain(..taken)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for RawStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let early = this.early.get(this.read..).unwrap_or_default();
        if early.is_empty() {
            this.early = Vec::new();
            return Pin::new(&mut this.io.duplex).poll_read(cx, room);
        }
        let (now, _) = early.split_at(early.len().min(room.remaining()));
        room.put_slice(now);
        this.read += now.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for RawStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_unsent(cx))?;
        Pin::new(&mut self.io.duplex).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(cx))?;
        Pin::new(&mut self.io.duplex).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(cx))?;
        Pin::new(&mut self.io.duplex).poll_shutdown(cx)
    }
}

impl fmt::Debug for RawStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawStream").field("early", &self.early.len()).finish_non_exhaustive()
    }
}

/// Lets what comes on one go out on the other, until both have come to their ends or one fails.
pub(crate) async fn join(mut one: RawStream, mut other: RawStream) {
    use tokio::io::AsyncWriteExt;
    let greeted = async {
        one.flush().await?;
        other.flush().await
    };
    if greeted.await.is_ok() {
        // How it ended is the same to both.
        let _ = tokio::io::copy_bidirectional_with_sizes(&mut one, &mut other, READ_BYTES, READ_BYTES).await;
    }
}

/// As much as one read takes.
const READ_BYTES: usize = 16 * 1024;

/// Data that may wait to be written: some round trips of a fast path. More is dropped, as a full socket would.
const OUTBOX_BYTES: usize = 1 << 18;

/// What a machine says may wait on top of it.
const CONTROL_BYTES: usize = 1 << 16;

/// What an empty outbox keeps of its memory.
const KEPT_BYTES: usize = 2048;

/// Who takes nothing for so long is gone.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

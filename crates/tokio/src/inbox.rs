//! What the peer has sent and nobody has fetched yet: bounded in bytes, so that a flood of large datagrams takes no
//! more memory than one of small ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};

/// A datagram with its sender, where that matters, and the room that it takes, which is free again when it is fetched.
type Kept<F> = (F, Vec<u8>, OwnedSemaphorePermit);

/// Where the driver puts datagrams.
#[derive(Debug)]
pub(crate) struct Inbox<F> {
    queue: mpsc::UnboundedSender<Kept<F>>,
    room: Arc<Semaphore>,
    overflows: Arc<AtomicU64>,
}

/// Where the application fetches them.
#[derive(Debug)]
pub(crate) struct Outbox<F> {
    queue: Mutex<mpsc::UnboundedReceiver<Kept<F>>>,
    overflows: Arc<AtomicU64>,
}

pub(crate) fn inbox<F>() -> (Inbox<F>, Outbox<F>) {
    let (queue, fetched) = mpsc::unbounded_channel();
    let overflows = Arc::new(AtomicU64::new(0));
    let inbox = Inbox { queue, room: Arc::new(Semaphore::new(ROOM)), overflows: Arc::clone(&overflows) };
    (inbox, Outbox { queue: Mutex::new(fetched), overflows })
}

impl<F> Inbox<F> {
    /// Keeps a datagram if there is room for it, and counts it if not.
    pub(crate) fn put(&self, from: F, datagram: &[u8]) {
        let takes = u32::try_from(datagram.len().saturating_add(OVERHEAD)).unwrap_or(u32::MAX);
        let kept = match Arc::clone(&self.room).try_acquire_many_owned(takes) {
            Ok(room) => self.queue.send((from, datagram.to_vec(), room)).is_ok(),
            Err(_) => false,
        };
        if !kept {
            self.overflows.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<F> Outbox<F> {
    /// The next datagram; none once the driver has ended. Cancelling loses nothing.
    pub(crate) async fn fetch(&self) -> Option<(F, Vec<u8>)> {
        self.queue.lock().await.recv().await.map(|(from, datagram, _)| (from, datagram))
    }

    pub(crate) fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }
}

/// Bytes that wait for [`Endpoint::recv`](crate::Endpoint::recv): 1 MiB, some 800 full packets, as much as a socket
/// has.
const ROOM: usize = 1 << 20;

/// What a datagram takes beside its bytes, so that empty ones come to an end too.
const OVERHEAD: usize = 64;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_fetches_takes_no_more_than_a_mebibyte() {
        for size in [0, 1, 1200, 65_507] {
            let (inbox, outbox) = inbox();
            let count = 40_000;
            for _ in 0..count {
                inbox.put((), &vec![7; size]);
            }
            let kept = count - usize::try_from(outbox.overflows()).unwrap();
            assert!(kept * (size + OVERHEAD) <= ROOM, "{kept} of {size}");
            assert!((kept + 1) * (size + OVERHEAD) > ROOM, "{kept} of {size}: there was room for more");
            for _ in 0..kept {
                assert_eq!(outbox.fetch().await.unwrap().1.len(), size);
            }
            inbox.put((), b"room again");
            assert_eq!(outbox.fetch().await.unwrap().1, b"room again");
        }
    }

    #[tokio::test]
    async fn nothing_more_comes_once_the_driver_has_ended() {
        let (inbox, outbox) = inbox();
        inbox.put(7, b"last");
        drop(inbox);
        assert_eq!(outbox.fetch().await.unwrap(), (7, b"last".to_vec()));
        assert_eq!(outbox.fetch().await, None);
    }
}

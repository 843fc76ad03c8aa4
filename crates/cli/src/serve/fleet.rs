//! One server, or several beside each other on the same addresses, each on a thread of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use floe_stun::Transport;
use floe_tokio::{BindError, ServerBuilder, ServerEvents, TurnServer};
use floe_turn_server::{Event, Stats};
use tokio::sync::{mpsc, oneshot};

use super::Listen;
use crate::failure::Failure;

/// Servers that are one to the outside.
#[derive(Debug)]
pub(crate) struct Fleet {
    servers: Vec<Arc<TurnServer>>,
    events: mpsc::Receiver<Event>,
    /// Threads end when these are dropped.
    _workers: Vec<oneshot::Sender<()>>,
}

impl Fleet {
    /// So many servers, the first of them on this thread.
    pub(crate) async fn bind(
        count: usize,
        listen: &Listen,
        build: impl Fn(&Listen) -> ServerBuilder,
    ) -> Result<Self, Failure> {
        let shared = count > 1;
        let (told, events) = mpsc::channel(EVENTS);
        let (first, reports) = build(listen).reuse_port(shared).bind()?;
        tokio::spawn(pass_on(reports, told.clone()));
        // Where the system has chosen ports, the others take the same.
        let listen = &listen.as_bound(first.listeners());
        let (mut servers, mut workers) = (vec![Arc::new(first)], Vec::new());
        for _ in 1..count {
            let (server, worker) = start(build(listen).reuse_port(shared), told.clone()).await?;
            servers.push(Arc::new(server));
            workers.push(worker);
        }
        Ok(Self { servers, events, _workers: workers })
    }

    /// What is listened on, with how it carries bytes.
    pub(crate) fn listeners(&self) -> &[(Transport, SocketAddr)] {
        self.servers.first().map(|server| server.listeners()).unwrap_or_default()
    }

    pub(crate) fn first(&self) -> Option<&TurnServer> {
        self.servers.first().map(Arc::as_ref)
    }

    /// The next event of any of them; none once all are closed.
    pub(crate) async fn recv(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Counters of all of them.
    pub(crate) fn stats(&self) -> Stats {
        sum(&self.servers)
    }

    /// The same, for whoever asks later.
    pub(crate) fn counters(&self) -> impl Fn() -> Stats + Send + Sync + 'static {
        let servers = self.servers.clone();
        move || sum(&servers)
    }

    /// Nobody is relayed there.
    pub(crate) fn keep_away_from(&self, address: SocketAddr) {
        self.servers.iter().for_each(|server| server.keep_away_from(address));
    }

    pub(crate) fn drain(&self, to: &[(SocketAddr, Option<String>)]) {
        for server in &self.servers {
            server.drain(to.iter().cloned());
        }
    }

    pub(crate) async fn close(&self) {
        for server in &self.servers {
            server.close().await;
        }
    }
}

fn sum(servers: &[Arc<TurnServer>]) -> Stats {
    servers.iter().map(|server| server.stats()).fold(Stats::default(), |sum, stats| sum.and(&stats))
}

/// A server with a thread and a runtime of its own.
async fn start(
    builder: ServerBuilder,
    told: mpsc::Sender<Event>,
) -> Result<(TurnServer, oneshot::Sender<()>), Failure> {
    let (give, given) = oneshot::channel::<Result<TurnServer, BindError>>();
    let (worker, end) = oneshot::channel::<()>();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::Runtime { why })?;
    let run = move || {
        runtime.block_on(async {
            match builder.bind() {
                Ok((server, reports)) => {
                    tokio::spawn(pass_on(reports, told));
                    // Nobody waits for it only if the program ends.
                    let _ = give.send(Ok(server));
                    let _ = end.await;
                }
                Err(why) => {
                    let _ = give.send(Err(why));
                }
            }
        });
    };
    thread::Builder::new().name("worker".into()).spawn(run).map_err(|why| Failure::Runtime { why })?;
    match given.await {
        Ok(server) => Ok((server?, worker)),
        Err(_) => Err(Failure::Runtime { why: std::io::Error::other("a worker ended at once") }),
    }
}

/// A reader that is slow makes events wait with their server, which keeps some and counts those it loses.
async fn pass_on(mut reports: ServerEvents, told: mpsc::Sender<Event>) {
    while let Some(event) = reports.recv().await {
        if told.send(event).await.is_err() {
            return;
        }
    }
}

const EVENTS: usize = 1024;

//! Counters for Prometheus, by HTTP.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe_turn_server::{Relayed, Stats};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Where counters can be asked for.
#[derive(Debug)]
pub(crate) struct Metrics {
    listener: TcpListener,
    local: SocketAddr,
}

impl Metrics {
    pub(crate) async fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        Ok(Self { listener, local })
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, stats: impl Fn() -> Stats + Send + Sync + 'static) {
        let (stats, seats) = (Arc::new(stats), Arc::new(Semaphore::new(CONNECTIONS)));
        loop {
            let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of descriptors: some come back.
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let stats = Arc::clone(&stats);
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let response = answer(&request, stats.as_ref());
                    async { Ok::<_, Infallible>(response) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .serve_connection(TokioIo::new(stream), service);
                // Whoever breaks off has got what they wanted, or asks again.
                let _ = tokio::time::timeout(PATIENCE * 5, connection).await;
                drop(seat);
            });
        }
    }
}

fn answer(request: &Request<Incoming>, stats: &dyn Fn() -> Stats) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let text = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, text);
            *response.body_mut() = Full::from(written(&stats()));
        }
        (_, "/metrics") => {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        }
        _ => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
}

/// The counters in the text format of OpenMetrics.
fn written(stats: &Stats) -> String {
    let mut registry = Registry::with_prefix("floe");
    let gauge = Gauge::<i64>::default();
    gauge.set(stats.allocations.try_into().unwrap_or(i64::MAX));
    registry.register("live_allocations", "Allocations that there are", gauge);
    for (name, help, count) in [
        ("allocations", "Allocations that there have been", stats.allocations_total),
        ("peer_connections", "TCP connections of peers joined with a client's", stats.connections_total),
        ("refused_requests", "Requests answered with an error", stats.refused),
    ] {
        let counter = Counter::<u64>::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }
    let directions = [("to_peers", stats.to_peers), ("to_clients", stats.to_clients)];
    let relayed = |of: fn(&Relayed) -> u64| {
        family("direction", directions.iter().map(|(direction, relayed)| (*direction, of(relayed))))
    };
    registry.register("relayed_packets", "Datagrams relayed", relayed(|relayed| relayed.packets));
    registry.register_with_unit(
        "relayed",
        "Data relayed, without headers",
        Unit::Bytes,
        relayed(|r| r.bytes),
    );
    let drops: Vec<_> = stats.drops.iter().map(|(why, count)| (format!("{why:?}"), count)).collect();
    let drops = family("reason", drops.iter().map(|(why, count)| (why.as_str(), *count)));
    registry.register("dropped_packets", "Packets that deserved nothing", drops);
    let mut text = String::new();
    // A string takes everything.
    let _ = encode(&mut text, &registry);
    text
}

fn family<'a>(
    label: &str,
    counts: impl Iterator<Item = (&'a str, u64)>,
) -> Family<Vec<(String, String)>, Counter> {
    let family = Family::<Vec<(String, String)>, Counter>::default();
    for (value, count) in counts {
        family.get_or_create(&vec![(label.to_owned(), value.to_owned())]).inc_by(count);
    }
    family
}

/// Who asks at a time; the others wait.
const CONNECTIONS: usize = 16;

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// For the head of a request.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_name_and_its_number() {
        let mut stats = Stats::default();
        stats.allocations = 3;
        stats.allocations_total = 7;
        stats.to_peers.packets = 11;
        stats.to_clients.bytes = 1300;
        stats.drops.count(floe_stun::Dropped::NoPermission);
        let text = written(&stats);
        for line in [
            "floe_live_allocations 3",
            "floe_allocations_total 7",
            "floe_relayed_packets_total{direction=\"to_peers\"} 11",
            "floe_relayed_bytes_total{direction=\"to_clients\"} 1300",
            "floe_dropped_packets_total{reason=\"NoPermission\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
        }
    }
}

//! Whether a server serves the discovery of NAT behaviour: OTHER-ADDRESS, RESPONSE-ORIGIN, CHANGE-REQUEST (RFC 5780 §6).

use std::net::SocketAddr;

use floe_stun::SocketId;
use floe_stun::behaviour::{BehaviourClient, BehaviourConfig, BehaviourEvent, Dependence, Obstacle, Test};

use super::Means;
use super::examine::ask;
use super::judge;
use super::probe::Question;
use super::row::Verdict;
use super::servers::Place;
use super::wire::Wire;

/// Asks plainly first: only a server that names its other address is asked to answer from there.
pub(crate) async fn discover(
    server: SocketAddr,
    means: &Means,
    seeds: [[u8; 32]; 2],
) -> Result<Verdict, Verdict> {
    let [plain, discovery] = seeds;
    let answer = ask(&Place::Udp(server), Question::Plain, means, plain).await?;
    let other = judge::other_address(&answer.message()?, server)?;

    let mut wire = Wire::datagrams(server, 3).await?;
    let local = wire.local(MAPPING).ok_or_else(|| Verdict::NoAnswer("the socket has no address".into()))?;
    let mut config = BehaviourConfig::new((MAPPING, local), FILTERING, PROBER, server);
    config.schedule = means.schedule;
    let mut client = BehaviourClient::new(wire.now(), config, discovery);
    let mut finding = None;
    while let Some(event) = wire.drive(&mut client).await {
        match event {
            BehaviourEvent::Done => break,
            BehaviourEvent::Filtering(..)
            | BehaviourEvent::Unknown(Test::Reachability | Test::Filtering, _) => {
                finding = Some(event);
            }
            _ => {}
        }
    }
    let came_from = |address| wire.has_heard(FILTERING, address);
    Ok(judged(finding, server, other, came_from))
}

/// The client takes a NAT's word for where an answer comes from, so that the sources are looked at here.
fn judged(
    finding: Option<BehaviourEvent>,
    server: SocketAddr,
    other: SocketAddr,
    came_from: impl Fn(SocketAddr) -> bool,
) -> Verdict {
    let other_port = SocketAddr::new(server.ip(), other.port());
    match finding {
        Some(BehaviourEvent::Filtering(Dependence::EndpointIndependent, _)) if came_from(other) => {
            Verdict::PASS
        }
        Some(BehaviourEvent::Filtering(Dependence::AddressDependent, _)) if came_from(other_port) => {
            Verdict::Pass(format!("it answers from {other_port}; from {other} nothing came through"))
        }
        Some(BehaviourEvent::Filtering(Dependence::AddressAndPortDependent, _)) => Verdict::NoAnswer(
            format!("no answer to CHANGE-REQUEST came from {other}: not sent, or filtered on its way"),
        ),
        Some(BehaviourEvent::Filtering(..) | BehaviourEvent::Unknown(_, Obstacle::NotMoved)) => {
            Verdict::Fail(format!("its answer to CHANGE-REQUEST does not come from {other}"))
        }
        Some(BehaviourEvent::Unknown(_, Obstacle::OneAddress)) => {
            Verdict::Fail(format!("OTHER-ADDRESS {other} does not differ from {server} in address and port"))
        }
        Some(BehaviourEvent::Unknown(_, Obstacle::Refused(code))) => {
            Verdict::Fail(format!("it names OTHER-ADDRESS and refuses CHANGE-REQUEST with {code}"))
        }
        _ => Verdict::NoAnswer("silence".into()),
    }
}

const MAPPING: SocketId = SocketId(0);
const FILTERING: SocketId = SocketId(1);
const PROBER: SocketId = SocketId(2);

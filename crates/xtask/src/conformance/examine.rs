//! All that is asked of one server: first how it can be reached, then the rest by the first way that leads to it.

use std::cell::RefCell;
use std::net::SocketAddr;

use floe_stun::{BindingClient, BindingConfig, Chance, Message, Schedule, SocketId};
use futures_util::future::join_all;

use super::Means;
use super::behaviour::discover;
use super::judge;
use super::probe::{Probe, Question, Reply};
use super::row::{Feature, Row, Verdict};
use super::servers::{Place, Places};
use super::wire::Wire;

/// Fills the cells as they become known, so that whoever gives up loses only the rest.
pub(crate) async fn examine(row: &mut Row, places: &Places, means: &Means, chance: &mut Chance) {
    let ways = reach_all(row, places, means, chance).await;
    match ways.first() {
        Some((_, best)) => ask_the_rest(row, &ways, best, means, chance).await,
        None => Feature::REST.into_iter().for_each(|feature| {
            row.set(feature, Verdict::NoAnswer("no way leads to it".into()));
        }),
    }
}

/// The ways that lead to the server, best first.
async fn reach_all<'p>(
    row: &mut Row,
    places: &'p Places,
    means: &Means,
    chance: &mut Chance,
) -> Vec<(Feature, &'p Place)> {
    let reached = join_all(places.iter().map(|place| reach(place.as_ref(), means, chance.seed()))).await;
    let mut ways = Vec::new();
    for ((feature, place), verdict) in Feature::WAYS.into_iter().zip(places).zip(reached) {
        ways.extend(place.as_ref().ok().filter(|_| verdict.is_pass()).map(|place| (feature, place)));
        row.set(feature, verdict);
    }
    ways
}

/// What needs no way of its own goes the best one, the addresses go all ways.
async fn ask_the_rest(
    row: &mut Row,
    ways: &[(Feature, &Place)],
    best: &Place,
    means: &Means,
    chance: &mut Chance,
) {
    let (row, mut seed) = (RefCell::new(row), || chance.seed());
    let ask = |question, seed, judge| judge_one(best, question, means, seed, judge);
    tokio::join!(
        judge_addresses(&row, ways, means, ways.iter().map(|_| seed()).collect()),
        fill(&row, Feature::Retransmission, retransmission(best, means, [seed(), seed()])),
        fill(
            &row,
            Feature::UnknownOptional,
            ask(Question::Unknown(OPTIONAL), seed(), judge::unknown_optional)
        ),
        fill(
            &row,
            Feature::UnknownRequired,
            ask(Question::Unknown(REQUIRED), seed(), |answer, _| judge::unknown_required(answer, REQUIRED))
        ),
        fill(&row, Feature::Fingerprint, ask(Question::Fingerprint, seed(), judge::fingerprint)),
        fill(&row, Feature::Behaviour, behaviour(best, means, [seed(), seed()])),
        fill(&row, Feature::Rfc3489, rfc3489(best, means, seed())),
    );
}

async fn fill(row: &RefCell<&mut Row>, feature: Feature, verdict: impl Future<Output = Verdict>) {
    let verdict = verdict.await;
    row.borrow_mut().set(feature, verdict);
}

/// The whole answer, and who gave it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) server: SocketAddr,
    bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn message(&self) -> Result<Message<'_>, Verdict> {
        Message::decode(&self.bytes).map_err(|why| Verdict::Fail(why.to_string()))
    }
}

/// Whether our Binding client gets its answer.
async fn reach(place: Result<&Place, &Verdict>, means: &Means, seed: [u8; 32]) -> Verdict {
    let opened = match place {
        Ok(place) => Wire::open(place, means).await,
        Err(verdict) => Err(verdict.clone()),
    };
    match opened {
        Ok(mut wire) => bind(&mut wire, means, seed).await,
        Err(verdict) => verdict,
    }
}

async fn bind(wire: &mut Wire, means: &Means, seed: [u8; 32]) -> Verdict {
    let (now, socket, server, schedule) = (wire.now(), SocketId(0), wire.server(), means.schedule);
    let mut client = match wire.is_stream() {
        true => {
            let config = BindingConfig::UDP.with_schedule(Schedule::STREAM.with_rto(schedule.total()));
            BindingClient::over_stream(now, socket, server, seed, config)
        }
        false => BindingClient::with_schedule(now, socket, server, seed, schedule),
    };
    let event = wire.drive(&mut client).await;
    judge::binding(event, client.drops(), wire.heard(), wire.is_stream())
}

/// Asks one question over a wire of its own.
pub(crate) async fn ask(
    place: &Place,
    question: Question,
    means: &Means,
    seed: [u8; 32],
) -> Result<Answer, Verdict> {
    let mut wire = Wire::open(place, means).await?;
    probe(&mut wire, question, means, seed).await
}

async fn probe(
    wire: &mut Wire,
    question: Question,
    means: &Means,
    seed: [u8; 32],
) -> Result<Answer, Verdict> {
    let start = if wire.is_stream() { Probe::over_stream } else { Probe::over_datagrams };
    let mut probe = start(wire.now(), wire.server(), question, seed, means.schedule);
    match wire.drive(&mut probe).await {
        Some(Reply::Answer(bytes)) => Ok(Answer { server: wire.server(), bytes }),
        Some(Reply::Lost) => Err(judge::lost(probe.drops(), wire.heard())),
        Some(Reply::Silence) | None => Err(judge::silence(probe.drops(), wire.heard(), wire.is_stream())),
    }
}

async fn judge_one(
    place: &Place,
    question: Question,
    means: &Means,
    seed: [u8; 32],
    judge: Judge,
) -> Verdict {
    judged(&ask(place, question, means, seed).await, judge)
}

/// What the answer shows of a feature, and what the address that was asked has to do with it.
type Judge = fn(&Message<'_>, SocketAddr) -> Verdict;

fn judged(answer: &Result<Answer, Verdict>, judge: Judge) -> Verdict {
    let shown = |answer: &Answer| Ok(judge(&answer.message()?, answer.server));
    answer.as_ref().map_err(Verdict::clone).and_then(shown).unwrap_or_else(|verdict| verdict)
}

/// The plain answer, over each way.
async fn judge_addresses(
    row: &RefCell<&mut Row>,
    ways: &[(Feature, &Place)],
    means: &Means,
    seeds: Vec<[u8; 32]>,
) {
    let asked = ways.iter().zip(seeds).map(|((_, way), seed)| ask(way, Question::Plain, means, seed));
    let answers = join_all(asked).await;
    let each = |judge| of_all(ways, answers.iter().map(|answer| judged(answer, judge)).collect());
    let mut row = row.borrow_mut();
    row.set(Feature::XorMappedAddress, each(judge::xor_mapped_address));
    row.set(Feature::MappedAddress, each(judge::mapped_address));
    row.set(Feature::Software, each(judge::software));
}

/// What is wrong over one way is wrong; else the best way speaks for all.
fn of_all(ways: &[(Feature, &Place)], verdicts: Vec<Verdict>) -> Verdict {
    let failed = ways.iter().zip(&verdicts).find(|(_, verdict)| verdict.is_fail());
    match failed {
        Some(((way, _), verdict)) => Verdict::Fail(format!("over {}: {}", way.name(), verdict.note())),
        None => verdicts.into_iter().next().unwrap_or(Verdict::PASS),
    }
}

/// The first request is withheld, so that only the second can be answered; then one request is sent twice.
async fn retransmission(way: &Place, means: &Means, seeds: [[u8; 32]; 2]) -> Verdict {
    let attempt = async {
        let [withheld, repeated] = seeds;
        let mut wire = over_udp(way, means).await?;
        wire.withhold(1);
        let verdict = bind(&mut wire, means, withheld).await;
        if !verdict.is_pass() {
            return Err(verdict);
        }
        let mut wire = over_udp(way, means).await?;
        let first = probe(&mut wire, Question::Plain, means, repeated).await?;
        let second = probe(&mut wire, Question::Plain, means, repeated).await?;
        Ok(judge::repeated(&first.message()?, &second.message()?))
    };
    attempt.await.unwrap_or_else(|verdict: Verdict| verdict)
}

async fn behaviour(way: &Place, means: &Means, seeds: [[u8; 32]; 2]) -> Verdict {
    match way {
        Place::Udp(server) => discover(*server, means, seeds).await.unwrap_or_else(|verdict| verdict),
        Place::Tcp(_) | Place::Tls(..) => over_udp_only(),
    }
}

/// Who answers all else and not this does not do it.
async fn rfc3489(way: &Place, means: &Means, seed: [u8; 32]) -> Verdict {
    let Place::Udp(_) = way else { return over_udp_only() };
    match ask(way, Question::Rfc3489, means, seed).await {
        Err(Verdict::NoAnswer(_)) => {
            Verdict::Unsupported("it does not answer a request without the cookie".into())
        }
        answer => judged(&answer, judge::rfc3489),
    }
}

async fn over_udp(way: &Place, means: &Means) -> Result<Wire, Verdict> {
    match way {
        Place::Udp(_) => Wire::open(way, means).await,
        Place::Tcp(_) | Place::Tls(..) => Err(over_udp_only()),
    }
}

fn over_udp_only() -> Verdict {
    Verdict::Unsupported("it is asked over UDP, which does not lead to the server".into())
}

/// Types that no registry knows; above 0x7FFF an attribute may be ignored (RFC 8489 §14).
const OPTIONAL: u16 = 0xBF1F;
const REQUIRED: u16 = 0x3F1F;

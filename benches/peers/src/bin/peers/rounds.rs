//! Rounds: in each, every contestant of a row works once, in an order drawn anew. What disturbs the machine for a while
//! then disturbs all of them, and the quotient of two contestants is taken within a round.

use std::time::Duration;

use floe_peers::Contestant;
use rustix::time::{ClockId, clock_gettime};

#[derive(Debug)]
pub(crate) struct Plan {
    /// At most so many rounds for a row.
    pub(crate) rounds: usize,
    /// So long works each contestant in a round.
    pub(crate) slice: Duration,
    /// So long may a row take, if five rounds are done by then.
    pub(crate) row: Duration,
}

/// How a contestant did.
#[derive(Debug)]
pub(crate) struct Raced<'c> {
    pub(crate) contestant: &'c Contestant,
    /// Nanoseconds for one piece of work, round by round.
    rounds: Vec<f64>,
}

/// Everybody against those of the same row.
pub(crate) fn race<'c>(contestants: &'c mut [Contestant], plan: &Plan) -> Vec<Raced<'c>> {
    let mut raced = Vec::new();
    for row in contestants.chunk_by_mut(|one, other| one.row() == other.row()) {
        let times = race_row(row, plan);
        raced.extend(row.iter().zip(times).map(|(contestant, rounds)| Raced { contestant, rounds }));
    }
    raced
}

fn race_row(row: &mut [Contestant], plan: &Plan) -> Vec<Vec<f64>> {
    let paces: Vec<Pace> = row.iter_mut().map(|contestant| Pace::of(contestant, plan.slice)).collect();
    let round: Duration = paces.iter().map(|pace| pace.slice).sum();
    let rounds = (plan.row.as_nanos() / round.as_nanos().max(1)) as usize;
    let mut times = vec![Vec::new(); row.len()];
    let mut order: Vec<usize> = (0..row.len()).collect();
    for _ in 0..rounds.clamp(5, plan.rounds) {
        fastrand::shuffle(&mut order);
        for &index in &order {
            let times_over = paces[index].times;
            times[index].push(measure(&mut row[index], times_over).as_nanos() as f64 / times_over as f64);
        }
    }
    times
}

/// How often a contestant does its work in its turn, and about how long that takes.
struct Pace {
    times: u64,
    slice: Duration,
}

impl Pace {
    fn of(contestant: &mut Contestant, wanted: Duration) -> Self {
        contestant.work(1);
        let mut times = 1;
        loop {
            let took = measure(contestant, times);
            if took >= wanted {
                return Self { times, slice: took };
            }
            if took * 8 >= wanted {
                let times = (times as f64 * wanted.as_secs_f64() / took.as_secs_f64()).ceil() as u64;
                return Self { times, slice: wanted };
            }
            times *= 4;
        }
    }
}

fn measure(contestant: &mut Contestant, times: u64) -> Duration {
    let begin = now();
    contestant.work(times);
    now() - begin
}

/// CPU time of this thread: while others have the core, it stands still.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Raced<'_> {
    pub(crate) fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    pub(crate) fn min(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// How much longer it takes than the other: the median of the quotients of all rounds.
    pub(crate) fn over(&self, other: &Self) -> f64 {
        median(self.rounds.iter().zip(&other.rounds).map(|(ours, theirs)| ours / theirs).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

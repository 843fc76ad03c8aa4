//! Floe beside its peers: the same work, in the same process, in turns.
//!
//! A [`Row`] is a piece of work, a [`Contestant`] one way to do it. Before any clock runs, every contestant has shown
//! that it does the work: it reads the values that stand in the packet, and what it writes reads back. What it leaves
//! out is asked of it in the same way and noted beside its figures.

mod contestant;
#[allow(dead_code, reason = "the benches read more of it")]
#[path = "../../floor/mod.rs"]
mod floor;
mod row;
mod sdp;
mod stun;
mod turn;

pub use contestant::{Absent, Contestant, Field};
pub use row::Row;
pub use turn::IN_PLACE;

impl Field {
    /// All contestants of the rows that are wanted, judged; always in the same order.
    pub fn new(wants: impl Fn(Row) -> bool) -> Self {
        let mut field = Self::default();
        let rows: Vec<Row> = Row::ALL.into_iter().filter(|row| wants(*row)).collect();
        stun::enter(&mut field, &rows);
        sdp::enter(&mut field, &rows);
        turn::enter(&mut field, &rows);
        field.contestants.sort_by_key(Contestant::row);
        field
    }
}

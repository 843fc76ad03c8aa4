//! What the stories share: a world of agents and servers on a virtual network, with one clock and one seed.

mod node;
pub mod snapshot;
mod world;

pub use world::{AgentId, Place, Story, World};

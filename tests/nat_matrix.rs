//! Every NAT kind against every other, as a table that a person can review.
//!
//! Axis: mapping / filtering, E endpoint-independent, A address-dependent, P address- and port-dependent
//! (RFC 4787 §4.1, §5). Both sides have one STUN and TURN server.
#![expect(clippy::unwrap_used, reason = "what is missing is a failed test")]

use std::fmt::Write as _;
use std::time::Duration;

use floe_ice_agent::{CandidateKind, Config, ConnectionState, Role};
use floe_netsim::{Filtering, Mapping, NatBehaviour};
use support::{Place, World, snapshot};

/// Where the kinds allow a direct path: found by searching all ways that checks can open the two NATs, by hand
/// and by the virtual network's own model test.
const DIRECT: [[bool; 9]; 9] = {
    const Y: bool = true;
    const N: bool = false;
    [
        [Y, Y, Y, Y, Y, Y, Y, Y, Y],
        [Y, Y, Y, Y, Y, Y, Y, Y, Y],
        [Y, Y, Y, N, N, N, N, N, N],
        [Y, Y, N, Y, Y, N, Y, Y, N],
        [Y, Y, N, Y, N, N, Y, N, N],
        [Y, Y, N, N, N, N, N, N, N],
        [Y, Y, N, Y, Y, N, N, N, N],
        [Y, Y, N, Y, N, N, N, N, N],
        [Y, Y, N, N, N, N, N, N, N],
    ]
};

#[test]
fn nat_matrix_connects_everywhere_and_directly_where_the_kinds_allow() {
    let kinds = kinds();
    let names: Vec<_> = kinds.iter().map(ToString::to_string).collect();
    let mut table = String::from(
        "controlling side: row; cell: its local/remote candidate, then ms from the first signal to both nominated,\n\
         then packets sent by both\n\n",
    );
    let head: String = names.iter().map(|name| format!("{name:<22}")).collect();
    let _ = writeln!(table, "    {}", head.trim_end());
    for (row, a) in kinds.iter().enumerate() {
        let mut line = format!("{:4}", names[row]);
        for (column, b) in kinds.iter().enumerate() {
            let cell = connect(*a, *b);
            assert_eq!(
                cell.direct, DIRECT[row][column],
                "{} against {}: {}",
                names[row], names[column], cell.text
            );
            let _ = write!(line, "{:<22}", cell.text);
        }
        let _ = writeln!(table, "{}", line.trim_end());
    }
    snapshot::check("nat_matrix.txt", &table);
}

struct Cell {
    direct: bool,
    text: String,
}

fn connect(a: NatBehaviour, b: NatBehaviour) -> Cell {
    let mut world = World::new(1);
    world.add_server();
    let config = |role| Config::new(role).with_server(World::stun()).with_server(World::turn());
    let a = world.add_agent("alice", Place::Behind(a), config(Role::Controlling));
    let b = world.add_agent("bob", Place::Behind(b), config(Role::Controlled));
    world.connect(a, b);
    let done = |world: &World| [a, b].iter().all(|id| world.agent(*id).state() == ConnectionState::Completed);
    assert!(world.run_until(Duration::from_secs(10), done), "never connected:\n{}", world.net.trace());

    let (ours, theirs) = (world.selected(a).unwrap(), world.selected(b).unwrap());
    assert_eq!(ours.local.address, theirs.remote.address, "both sides use one pair");
    assert_eq!(ours.remote.address, theirs.local.address, "both sides use one pair");
    let ms = world.net.now().as_millis();
    let packets: u64 = [a, b].iter().map(|id| world.packets_sent(*id)).sum();
    let relayed = [ours.local.kind, ours.remote.kind].contains(&CandidateKind::Relayed)
        || [theirs.local.kind, theirs.remote.kind].contains(&CandidateKind::Relayed);
    Cell { direct: !relayed, text: format!("{}/{} {ms} {packets}", ours.local.kind, ours.remote.kind) }
}

fn kinds() -> Vec<NatBehaviour> {
    let mappings =
        [Mapping::EndpointIndependent, Mapping::AddressDependent, Mapping::AddressAndPortDependent];
    let filterings =
        [Filtering::EndpointIndependent, Filtering::AddressDependent, Filtering::AddressAndPortDependent];
    let mut kinds = Vec::new();
    for mapping in mappings {
        kinds.extend(filterings.map(|filtering| NatBehaviour::new(mapping, filtering)));
    }
    kinds
}

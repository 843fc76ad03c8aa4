//! Packets that nobody should have to serve, and the rate they come at.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use floe_stun::attribute::{Data, RequestedTransport, XorPeerAddress};
use floe_stun::{Builder, Chance, Class, Method};

use crate::relay_bench::client;

/// Senders with addresses and ports of their own, and what each of them sends.
#[derive(Debug)]
pub(crate) struct Hostile {
    server: SocketAddr,
    senders: Vec<Sender>,
}

impl Hostile {
    pub(crate) fn prepare(server: SocketAddr) -> anyhow::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let mut chance = Chance::new(seed);
        let senders = (0..SENDERS).map(|n| sender(n, server, &mut chance)).collect::<anyhow::Result<_>>()?;
        Ok(Self { server, senders })
    }

    /// Sends so many a second, or as many as this machine can; gives how many there were.
    pub(crate) fn flood(&self, rate: u64, time: Duration) -> u64 {
        let (start, mut sent) = (Instant::now(), 0);
        for turn in (0..PACKETS).cycle() {
            for (n, (socket, packets)) in (0..).zip(&self.senders) {
                let elapsed = start.elapsed();
                if elapsed >= time {
                    return sent;
                }
                if sent as f64 >= elapsed.as_secs_f64() * rate as f64 {
                    thread::sleep(BREATH);
                }
                // No two senders send the same at a time.
                if let Some(packet) = packets.get((turn + n * APART) % PACKETS) {
                    // The next one is as good as one that finds no room.
                    sent += u64::from(socket.send_to(packet, self.server).is_ok());
                }
            }
        }
        sent
    }
}

fn sender(n: u32, server: SocketAddr, chance: &mut Chance) -> anyhow::Result<Sender> {
    let socket = UdpSocket::bind((client::address(9, n), 0))?;
    let wrong = client::signed_wrongly(&socket, server)?;
    socket.set_nonblocking(true)?;
    let packets = (0..PACKETS).map(|n| packet(n, chance, &wrong)).collect::<anyhow::Result<_>>()?;
    Ok((socket, packets))
}

fn binding<'b>(buf: &'b mut [u8], chance: &mut Chance) -> Builder<'b> {
    Builder::new(buf, Class::Request, Method::BINDING, chance.transaction_id())
}

/// With what it sends.
type Sender = (UdpSocket, Vec<Vec<u8>>);

/// The n-th of a sender's packets.
fn packet(n: usize, chance: &mut Chance, wrong: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut buf = [0; 2048];
    Ok(match n % 10 {
        0 | 1 => noise(chance, 20 + n % 500),
        2 => {
            let whole = binding(&mut buf, chance).fingerprint().finish()?;
            whole.get(..n % whole.len()).unwrap_or_default().to_vec()
        }
        3 => {
            let mut longer = binding(&mut buf, chance).finish()?.to_vec();
            longer.iter_mut().skip(2).take(2).for_each(|length| *length = 0xFC);
            longer
        }
        4 => binding(&mut buf, chance).fingerprint().finish()?.to_vec(),
        5 => {
            let begun = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, chance.transaction_id());
            begun.attribute(&RequestedTransport::UDP).finish()?.to_vec()
        }
        6 => wrong.to_vec(),
        7 => [&[0x40, 0x00, 0x01, 0x00], &noise(chance, 256)[..]].concat(),
        8 => {
            let begun = Builder::new(&mut buf, Class::Indication, Method::SEND, chance.transaction_id());
            let peer = XorPeerAddress("127.0.0.1:9".parse()?);
            begun.attribute(&peer).attribute(&Data(&[7; 300])).finish()?.to_vec()
        }
        _ if n % 500 == 9 => oversized(chance)?,
        _ => {
            let mut changed = wrong.to_vec();
            let place = n % changed.len();
            changed.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 0x10);
            changed
        }
    })
}

fn noise(chance: &mut Chance, len: usize) -> Vec<u8> {
    std::iter::repeat_with(|| chance.u64().to_be_bytes()).flatten().take(len).collect()
}

/// As long as a datagram can be, with as many attributes as fit.
fn oversized(chance: &mut Chance) -> anyhow::Result<Vec<u8>> {
    let mut packet = vec![0; 20];
    Builder::new(&mut packet, Class::Request, Method::ALLOCATE, chance.transaction_id()).finish()?;
    packet.resize(65_500, 0x80);
    let len = u16::try_from(packet.len() - 20)?;
    packet.iter_mut().skip(2).zip(len.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    for attribute in packet.chunks_exact_mut(4).skip(5) {
        attribute.copy_from_slice(&[0x80, 0x77, 0, 0]);
    }
    Ok(packet)
}

const SENDERS: u32 = 64;

/// Packets of each sender, sent again and again.
const PACKETS: usize = 500;

/// By how many packets a sender is ahead of the one before.
const APART: usize = 7;

/// How long to wait when there is nothing to send.
const BREATH: Duration = Duration::from_micros(200);

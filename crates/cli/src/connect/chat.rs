//! Two people, two terminals: descriptions are pasted, then lines go to and fro.

use floe_ice_agent::{ConnectionState, Credentials, Event, GatheringState, Role, TransportPolicy};
use floe_tokio::{Endpoint, Events};
use tokio::sync::mpsc::Receiver;

use super::paste::Description;
use crate::Connect;
use crate::contract::{self, Message, Server};
use crate::echo;
use crate::failure::Failure;
use crate::input::{self, Line};
use crate::print::chat::Printer;
use crate::servers::Servers;

pub(super) async fn run(options: Connect, offers: bool) -> Result<(), Failure> {
    let printer = Printer::new(options.json);
    let servers = Servers::read(options.servers)?;
    for uri in &servers.unsupported {
        printer.event(&contract::Event::Server(Server::unsupported(uri)))?;
    }
    let role = if offers { Role::Controlling } else { Role::Controlled };
    let policy = if options.relay_only { TransportPolicy::Relay } else { TransportPolicy::All };
    let builder = Endpoint::builder(role).loopback(options.loopback).policy(policy);
    let (endpoint, events) = builder.servers(servers.usable).bind().await?;
    let mut chat = Chat { printer, endpoint, events, lines: input::lines(), opened: false };

    let ours = chat.gather().await?;
    if offers {
        printer.description(&ours.encode())?;
    }
    let theirs = chat.ask(&ours).await?;
    if !offers {
        printer.description(&ours.encode())?;
    }
    chat.accept(theirs)?;
    let outcome = chat.talk().await;
    chat.endpoint.close().await;
    outcome
}

struct Chat {
    printer: Printer,
    endpoint: Endpoint,
    events: Events,
    lines: Receiver<Line>,
    opened: bool,
}

impl Chat {
    /// All that can be told in one description, which is why it waits for the end of gathering.
    async fn gather(&mut self) -> Result<Description, Failure> {
        let mut candidates = Vec::new();
        while let Some(event) = self.events.recv().await {
            self.show(&event)?;
            match event {
                Event::Candidate(candidate) => candidates.push(candidate.to_string()),
                Event::Gathering(GatheringState::Complete) => break,
                _ => {}
            }
        }
        let Credentials { ufrag, pwd, .. } = self.endpoint.local_credentials();
        Ok(Description { ufrag, pwd: pwd.reveal().into(), candidates, lite: false })
    }

    /// Asks until a line is a description of somebody else.
    async fn ask(&mut self, ours: &Description) -> Result<Description, Failure> {
        self.printer.ask();
        loop {
            let text = match self.lines.recv().await {
                Some(Line::Text(text)) if text.trim().is_empty() => continue,
                Some(Line::Text(text)) => text,
                Some(Line::Unusable(why)) => {
                    self.printer.wrong_paste(why)?;
                    continue;
                }
                None => return Err(Failure::NoDescription),
            };
            match Description::decode(&text) {
                Ok(theirs) if theirs.ufrag == ours.ufrag => {
                    self.printer
                        .wrong_paste("this is our own description; paste the one of the other side")?;
                }
                Ok(theirs) => return Ok(theirs),
                Err(why) => self.printer.wrong_paste(&why.to_string())?,
            }
        }
    }

    fn accept(&self, theirs: Description) -> Result<(), Failure> {
        self.endpoint.set_remote(Credentials::new(theirs.ufrag, theirs.pwd), theirs.lite)?;
        for candidate in &theirs.candidates {
            // A candidate that is of no use to us is passed over, as in any signalling.
            let _ = self.endpoint.add_remote_candidate(candidate);
        }
        self.endpoint.end_of_candidates();
        Ok(())
    }

    /// Until the end of the input, or of the path.
    async fn talk(&mut self) -> Result<(), Failure> {
        loop {
            tokio::select! {
                Some(event) = self.events.recv() => self.take(&event)?,
                Some(datagram) = self.endpoint.recv() => self.receive(datagram).await?,
                line = self.lines.recv(), if self.opened => match line {
                    Some(Line::Text(text)) => self.send(&text).await?,
                    Some(Line::Unusable(why)) => self.printer.wrong_paste(why)?,
                    None => return Ok(()),
                },
                else => return Ok(()),
            }
        }
    }

    fn take(&mut self, event: &Event) -> Result<(), Failure> {
        self.show(event)?;
        match event {
            Event::State { state: ConnectionState::Connected | ConnectionState::Completed, .. }
                if !self.opened =>
            {
                self.opened = true;
                self.printer.event(&contract::Event::Open)?;
            }
            Event::State { state: ConnectionState::Failed, why } => {
                return Err(Failure::NoPath { why: why.to_string() });
            }
            _ => {}
        }
        Ok(())
    }

    async fn receive(&self, datagram: Vec<u8>) -> Result<(), Failure> {
        match echo::answer(datagram) {
            Ok(echo) => self.deliver(&echo).await,
            Err(message) => Ok(self.printer.event(&contract::Event::Message(Message::of_bytes(message)))?),
        }
    }

    async fn send(&self, text: &str) -> Result<(), Failure> {
        if text.is_empty() { Ok(()) } else { self.deliver(text.as_bytes()).await }
    }

    /// A line that cannot go at the moment is told and lost; the chat goes on.
    async fn deliver(&self, data: &[u8]) -> Result<(), Failure> {
        if let Err(why) = self.endpoint.send(data).await {
            self.printer.event(&contract::Event::Error { msg: Failure::Send(why).to_string() })?;
        }
        Ok(())
    }

    fn show(&self, event: &Event) -> Result<(), Failure> {
        if let Some(event) = contract::Event::of_agent(event) {
            self.printer.event(&event)?;
        }
        Ok(())
    }
}

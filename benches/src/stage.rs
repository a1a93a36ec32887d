//! A stage as it runs: servers and clients, orders and answers.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::affinity;
use crate::child::Child;
use crate::error::BenchError;
use crate::host::{Host, Programs};
use crate::order::{Answer, Introduction, Order, Report};
use crate::plan::{Kind, Pin, Stage};
use crate::role::Role;
use crate::sample::Sample;
use crate::stopwatch::now_ns;
use crate::system::{Server, System};
use crate::usage::Usage;
use crate::work::{Stock, Work};

/// All that runs. Clients are told to end before their servers.
#[derive(Debug)]
pub(crate) struct Running {
    clients: BTreeMap<System, Vec<Child>>,
    servers: BTreeMap<Server, Host>,
    /// What was put there already.
    stocked: Vec<(System, Stock)>,
}

impl Running {
    /// Starts the servers and clients that the stage needs, for these systems.
    pub(crate) fn start(
        stage: &Stage,
        systems: &BTreeSet<System>,
        folder: &Path,
        programs: &Programs,
    ) -> Result<Self, BenchError> {
        let start = || {
            let mut running = Self { clients: BTreeMap::new(), servers: BTreeMap::new(), stocked: Vec::new() };
            for system in systems {
                running.start_system(*system, stage, folder, programs)?;
            }
            Ok(running)
        };
        if stage.pin == Pin::AtStart { affinity::on_one_cpu(start) } else { start() }
    }

    fn start_system(
        &mut self,
        system: System,
        stage: &Stage,
        folder: &Path,
        programs: &Programs,
    ) -> Result<(), BenchError> {
        let server = system.server();
        if let Entry::Vacant(place) = self.servers.entry(server) {
            place.insert(Host::start(server, folder, programs)?);
        }
        let (processes, lanes) = match system {
            System::Threads => (1, stage.clients),
            System::Async => (1, stage.tasks),
            System::Echo | System::Manager | System::Socket | System::Redis | System::Cpython => (stage.clients, 1),
        };
        for index in 0..processes {
            let command = match system {
                System::Cpython => {
                    let mut command = programs.python();
                    command.arg("client");
                    command
                }
                System::Echo | System::Manager | System::Socket | System::Threads | System::Async | System::Redis => {
                    Role::Client.command()?
                }
            };
            let mut client = Child::start(format!("client {index} of {system}"), command, folder)?;
            let socket = self.servers[&server].socket().to_owned();
            client.tell(&Introduction { system, socket, index, lanes })?;
            self.clients.entry(system).or_default().push(client);
        }
        Ok(())
    }

    pub(crate) fn server(&self, system: System) -> u32 {
        self.servers[&system.server()].pid()
    }

    fn clients(&mut self, system: System) -> &mut Vec<Child> {
        self.clients.entry(system).or_default()
    }

    /// Has the clients put something there, unless they have.
    pub(crate) fn stock(&mut self, system: System, stock: Stock) -> Result<(), BenchError> {
        if self.stocked.contains(&(system, stock)) {
            return Ok(());
        }
        self.stocked.push((system, stock));
        let clients = self.clients(system);
        let parts = clients.len();
        for (part, client) in clients.iter_mut().enumerate() {
            client.tell(&Order::Prepare { stock, part, parts })?;
        }
        clients.iter_mut().try_for_each(|client| client.answer().map(|_prepared| ()))
    }

    /// Has all processes go on on one CPU.
    pub(crate) fn pin(&self) -> Result<(), BenchError> {
        let clients = self.clients.values().flatten().map(Child::pid);
        clients.chain(self.servers.values().map(Host::pid)).try_for_each(affinity::move_to_one_cpu)
    }

    /// Has the clients work for so long, all at the same time.
    pub(crate) fn run(&mut self, system: System, work: Work, kind: Kind, time: Duration) -> Result<Sample, BenchError> {
        let server = self.server(system);
        let clients = self.clients(system);
        let working = match kind {
            Kind::Together => clients.len(),
            Kind::Busy(working) => working,
            Kind::Alone | Kind::Disturbed(_) | Kind::Memory | Kind::Idle => 1,
        };
        let start_ns = now_ns() + HEAD_START_NS + clients.len() as u64 * HEAD_START_EACH_NS;
        let stop_ns = start_ns + time.as_nanos() as u64;
        let (disturbance, disturbing) = match kind {
            Kind::Disturbed(Some(disturbance)) => (disturbance, 1),
            Kind::Busy(working) => (Work::Compute, clients.len() - working),
            Kind::Together | Kind::Alone | Kind::Disturbed(None) | Kind::Memory | Kind::Idle => (Work::Compute, 0),
        };
        for client in &mut clients[working..working + disturbing] {
            client.tell(&Order::Run { work: disturbance, start_ns: 0, stop_ns })?;
        }
        let before = Usage::of(server);
        for client in &mut clients[..working] {
            client.tell(&Order::Run { work, start_ns, stop_ns })?;
        }
        let reports: Vec<Report> = clients[..working].iter_mut().map(report).collect::<Result<_, _>>()?;
        let usage = Usage::of(server).since(before);
        for client in &mut clients[working..working + disturbing] {
            report(client)?;
        }
        Ok(Sample::of(&reports, usage))
    }
}

fn report(client: &mut Child) -> Result<Report, BenchError> {
    match client.answer()? {
        Answer::Ran(report) => Ok(report),
        Answer::Prepared | Answer::Failed(_) => {
            Err(BenchError::Work { child: client.name().to_owned(), reason: "it did something else".to_owned() })
        }
    }
}

/// So long after the orders the clients begin.
const HEAD_START_NS: u64 = 5_000_000;
const HEAD_START_EACH_NS: u64 = 500_000;

//! What is measured: stages of servers and clients, and on each the rows that are measured on it.

use crate::error::BenchError;
use crate::system::System::{self, Async, Cpython, Echo, Manager, Redis, Socket, Threads};
use crate::work::{MILLION, VALUE, Work};

/// Servers and clients that are started once, and used for several rows.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// How many client processes, or threads, of each system.
    pub(crate) clients: usize,
    /// How many tasks, of the async system.
    pub(crate) tasks: usize,
    pub(crate) pin: Pin,
    pub(crate) bouts: Vec<Bout>,
}

/// Whether all processes of a stage share one CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pin {
    /// They run where the system puts them.
    Never,
    /// From their start, so that a server knows of one CPU only.
    AtStart,
    /// From when what they need is there, which is put there faster by several.
    WhenFilled,
}

/// What is measured in turns.
#[derive(Debug, Clone)]
pub(crate) struct Bout {
    pub(crate) kind: Kind,
    pub(crate) contenders: Vec<Contender>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All clients work.
    Together,
    /// Only the first client works.
    Alone,
    /// The first client works and is measured, while the second disturbs it; or nobody does.
    Disturbed(Option<Work>),
    /// So many clients work and are measured, while the others compute.
    Busy(usize),
    /// The server's memory is compared before and after what the work needs is put there.
    Memory,
    /// What the server uses after the work, while its clients stay and do nothing.
    Idle,
}

/// One system in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contender {
    pub(crate) row: String,
    pub(crate) system: System,
    pub(crate) work: Work,
    /// Left out by quick runs, unless its whole row is and was asked for.
    pub(crate) leisurely: bool,
}

/// How thorough the measurement is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    Quick,
    Full,
}

/// All stages.
pub(crate) fn stages() -> Vec<Stage> {
    let mut stages = vec![one_core()];
    stages.extend(
        [("clients_1", 1), ("clients_2", 2), ("clients_8", 8), ("clients_32", 32)].map(|(name, clients)| Stage {
            name,
            clients,
            tasks: 1,
            pin: Pin::Never,
            bouts: of_clients(clients),
        }),
    );
    let row = bout("async_64_tasks_get", GET, &[Async], &[]);
    stages.push(Stage { name: "async", clients: 1, tasks: 64, pin: Pin::Never, bouts: vec![row] });
    stages.extend([("async_1_task", 1), ("async_8_tasks", 8)].map(|(name, tasks)| {
        let row = bout(&format!("{name}_get"), GET, &[], &[Async]);
        Stage { name, clients: 1, tasks, pin: Pin::Never, bouts: vec![row] }
    }));
    stages.extend([growth(), memory(), interference(), busy("busy_1", 1), busy("busy_8", 8)]);
    stages
}

/// The names of all rows of stages.
pub(crate) fn rows(stages: &[Stage]) -> Vec<String> {
    let mut rows = Vec::new();
    for contender in stages.iter().flat_map(|stage| &stage.bouts).flat_map(|bout| &bout.contenders) {
        if !rows.contains(&contender.row) {
            rows.push(contender.row.clone());
        }
    }
    rows
}

/// What of the stages is to be measured: the rows whose names begin with what is asked for, if anything is.
pub(crate) fn chosen(mut stages: Vec<Stage>, only: &[String], effort: Effort) -> Result<Vec<Stage>, BenchError> {
    let rows = rows(&stages);
    if let Some(asked) = only.iter().find(|asked| !rows.iter().any(|row| row.starts_with(asked.as_str()))) {
        return Err(BenchError::UnknownRow { asked: asked.clone(), rows });
    }
    for stage in &mut stages {
        for bout in &mut stage.bouts {
            bout.contenders.retain(|one| only.is_empty() || only.iter().any(|asked| one.row.starts_with(asked)));
            if effort == Effort::Quick {
                let quick: Vec<String> =
                    bout.contenders.iter().filter(|one| !one.leisurely).map(|one| one.row.clone()).collect();
                bout.contenders.retain(|one| !one.leisurely || !only.is_empty() && !quick.contains(&one.row));
            }
        }
        stage.bouts.retain(|bout| !bout.contenders.is_empty());
    }
    stages.retain(|stage| !stage.bouts.is_empty());
    Ok(stages)
}

fn one_core() -> Stage {
    let all = [Echo, Manager, Redis, Cpython];
    let row = |name, work| bout(name, work, &[Manager, Redis], &[Cpython]);
    let bouts = vec![
        bout("one_core_get", GET, &all, &[Async]),
        bout("one_core_insert", INSERT, &all, &[Async]),
        row("one_core_add", Work::Add),
        bout("one_core_get_1k", Work::Get { size: 1 << 10 }, &[Manager, Redis], &[]),
        bout("one_core_get_64k", Work::Get { size: 64 << 10 }, &[Manager, Redis], &[]),
        row("list_push", Work::ListPush),
        row("list_index", Work::ListIndex),
        row("lock", Work::Lock),
        row("queue", Work::Queue),
        bout("bulk_1000", Work::Bulk { entries: 1000 }, &[Manager, Redis, Cpython], &[]),
        row("snapshot_10000", Work::Snapshot),
    ];
    Stage { name: "one_core", clients: 1, tasks: 1, pin: Pin::AtStart, bouts }
}

fn of_clients(clients: usize) -> Vec<Bout> {
    let ours = [Echo, Manager, Redis];
    let beside = |name, work| {
        let row = format!("clients_{clients}_{name}");
        match clients {
            8 => bout(&row, work, &[&ours[..], &[Socket, Cpython]].concat(), &[]),
            2 => bout(&row, work, &ours, &[Socket, Cpython]),
            _ => bout(&row, work, &[&ours[..], &[Socket]].concat(), &[Cpython]),
        }
    };
    let mut bouts = vec![beside("get", GET), beside("insert", INSERT)];
    if clients == 8 {
        bouts[0].contenders.extend(bout("threads_8_get", GET, &[Threads], &[]).contenders);
    }
    if [1, 8].contains(&clients) {
        for depth in [16, 64] {
            for (name, work) in [("get", Work::PipelineGet { depth }), ("insert", Work::PipelineInsert { depth })] {
                let row = format!("pipeline_{depth}_clients_{clients}_{name}");
                let systems = [Manager, Redis];
                bouts.push(if depth == 16 {
                    bout(&row, work, &[], &[Manager, Socket, Redis])
                } else {
                    bout(&row, work, &systems, &[Socket])
                });
            }
        }
    }
    if clients == 1 {
        let row = bout("lane_idle", GET, &[Manager], &[]);
        bouts.push(Bout { kind: Kind::Idle, ..row });
    }
    bouts
}

fn growth() -> Stage {
    let sizes = [("1k", 1000), ("100k", 100_000), ("1m", MILLION), ("10m", 10 * MILLION)];
    let of_work = |name: &str, work: fn(usize) -> Work| {
        let rows = sizes.iter().map(|(size, entries)| {
            let (row, work) = (format!("growth_{size}_{name}"), work(*entries));
            if [1000, MILLION].contains(entries) {
                bout(&row, work, &[Manager], &[Redis])
            } else {
                bout(&row, work, &[], &[Manager, Redis])
            }
        });
        Bout { kind: Kind::Alone, contenders: rows.flat_map(|row| row.contenders).collect() }
    };
    let bouts = vec![
        of_work("get", |entries| Work::GrownGet { entries }),
        of_work("insert", |entries| Work::GrownInsert { entries }),
    ];
    Stage { name: "growth", clients: 4, tasks: 1, pin: Pin::WhenFilled, bouts }
}

fn memory() -> Stage {
    let row = bout("memory_per_entry", Work::GrownGet { entries: MILLION }, &[Manager, Redis], &[]);
    let bouts = vec![Bout { kind: Kind::Memory, ..row }];
    Stage { name: "memory", clients: 1, tasks: 1, pin: Pin::Never, bouts }
}

/// Clients beside 8 programs that keep all processors busy.
fn busy(name: &'static str, working: usize) -> Stage {
    let row = bout(&format!("{name}_get"), GET, &[], &[Manager, Socket]);
    Stage {
        name,
        clients: working + 8,
        tasks: 1,
        pin: Pin::Never,
        bouts: vec![Bout { kind: Kind::Busy(working), ..row }],
    }
}

fn interference() -> Stage {
    let bouts =
        [("none", None), ("copy", Some(Work::Copy)), ("sort", Some(Work::Sort)), ("stream", Some(Work::Stream))].map(
            |(name, disturbance)| {
                let row = bout(&format!("interference_{name}"), GET, &[Manager], &[Redis]);
                Bout { kind: Kind::Disturbed(disturbance), ..row }
            },
        );
    Stage { name: "interference", clients: 2, tasks: 1, pin: Pin::Never, bouts: bouts.into() }
}

/// A row: systems that are always measured, and systems that are if there is time.
fn bout(row: &str, work: Work, always: &[System], leisurely: &[System]) -> Bout {
    let of = |systems: &[System], leisurely| -> Vec<Contender> {
        systems.iter().map(|system| Contender { row: row.to_owned(), system: *system, work, leisurely }).collect()
    };
    Bout { kind: Kind::Together, contenders: [of(always, false), of(leisurely, true)].concat() }
}

const GET: Work = Work::Get { size: VALUE };
const INSERT: Work = Work::Insert { size: VALUE };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_each_system_once() {
        let stages = stages();
        let all: Vec<&Contender> =
            stages.iter().flat_map(|stage| &stage.bouts).flat_map(|bout| &bout.contenders).collect();
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].iter().any(|other| other.row == one.row && other.system == one.system), "{one:?}");
        }
    }

    #[test]
    fn rows_are_chosen_by_how_they_begin() {
        let only = ["clients_2".to_owned(), "lock".to_owned()];
        let chosen = chosen(stages(), &only, Effort::Full).unwrap();
        assert_eq!(rows(&chosen), ["lock", "clients_2_get", "clients_2_insert"]);
    }

    #[test]
    fn a_quick_run_leaves_out_what_takes_long_unless_it_is_asked_for() {
        let systems = |only: &[&str], row: &str| -> Vec<System> {
            let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
            let stages = chosen(stages(), &only, Effort::Quick).unwrap();
            let contenders = stages.iter().flat_map(|stage| &stage.bouts).flat_map(|bout| &bout.contenders);
            contenders.filter(|one| one.row == row).map(|one| one.system).collect()
        };
        assert_eq!(systems(&[], "lock"), [Manager, Redis]);
        assert_eq!(systems(&["lock"], "lock"), [Manager, Redis]);
        assert_eq!(systems(&[], "growth_10m_get"), []);
        assert_eq!(systems(&["growth_10m"], "growth_10m_get"), [Manager, Redis]);
        assert_eq!(systems(&["growth"], "growth_1m_get"), [Manager]);
    }

    #[test]
    fn an_unknown_row_is_told_what_there_is() {
        let error = chosen(stages(), &["clients_7".to_owned()], Effort::Quick).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no row that begins with \"clients_7\"; there are: one_core_get, "),
            "{error}"
        );
    }
}

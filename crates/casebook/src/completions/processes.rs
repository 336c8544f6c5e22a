//! The .NET processes that can be reached now, within the time that a person waits for a completion.

use crate::threads;
use base::time::Deadline;
use dotnet_ipc::discover::{State, ask, find_process};
use host::Proc;
use recorder::Subject;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// How long finding and asking all of them may take.
const LIMIT: Duration = Duration::from_millis(300);
/// How many are asked. Others are named by their command line.
const MAX_ASKED: usize = 64;
/// How many answers may wait until they are taken.
const WAITING: usize = 256;

/// A process, as far as it is known in time.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
    /// The runtime's version, if it was reported in time.
    pub(super) runtime: Option<String>,
}

impl Process {
    fn of(pid: u32, subject: Subject) -> Self {
        Self { pid, name: subject.name, runtime: subject.runtime }
    }
}

/// What is found out about a process.
enum News {
    Found(Process),
    /// It has ended, or does not let us in.
    Unreachable(u32),
}

/// The processes, by ascending PID. Those that do not answer in time are named by their command line.
pub(super) fn reachable() -> Vec<Process> {
    let deadline = Deadline::after(LIMIT);
    let (send, news) = sync_channel(WAITING);
    let mut processes = BTreeMap::new();
    // On threads that nobody waits for: reading of `/proc` may block too, if a file system does.
    if threads::start("find", move || find(&send)).is_err() {
        return Vec::new();
    }
    // Ends with the last thread that has something to say, or at the deadline.
    while let Ok(news) = news.recv_timeout(deadline.left()) {
        match news {
            News::Found(process) => drop(processes.insert(process.pid, process)),
            News::Unreachable(pid) => drop(processes.remove(&pid)),
        }
    }
    processes.into_values().collect()
}

/// Finds all processes, and has each of them asked. Ends early if nobody listens any more.
fn find(send: &SyncSender<News>) {
    let proc = Arc::new(Proc::live());
    let mut asked = 0;
    for pid in proc.pids() {
        let Some(found) = find_process(&proc, pid) else { continue };
        let subject = Subject::new(&proc, Some(pid), None, found.endpoint(), false);
        if send.send(News::Found(Process::of(pid, subject))).is_err() {
            return;
        }
        if asked < MAX_ASKED {
            asked += 1;
            let (send, proc) = (send.clone(), Arc::clone(&proc));
            // If no thread can be started, the name of the command line stays.
            drop(threads::start("ask", move || {
                let answer = ask(&proc, found);
                let news = match (answer.state, &answer.info) {
                    (State::Running | State::Suspended, Some(info)) => {
                        let endpoint = answer.found.endpoint();
                        News::Found(Process::of(
                            pid,
                            Subject::new(&proc, Some(pid), Some(info), endpoint, false),
                        ))
                    }
                    (State::Refused | State::Stale, _) => News::Unreachable(pid),
                    _ => return,
                };
                drop(send.send(news));
            }));
        }
    }
}

//! The recording's own numbers for threads and activities.

use super::ids::ProcessId;
use super::processes::Processes;
use base::seeded::SeededMap;
use model::{ActivityId, ByActivity, ByThread, ThreadId};
use nettrace::Event;

/// Numbers of threads. Two processes may have a thread of the same number, so the process is part of the key.
#[derive(Debug, Default)]
pub(crate) struct ThreadNumbers {
    /// By the decoder's number of the thread; anew for each file. None if it is not known yet.
    slots: Vec<Option<ThreadId>>,
    numbers: SeededMap<(ProcessId, i64), ThreadId>,
}

/// The threads of the recording, by number: as the operating system numbers them, and of which process.
#[derive(Debug)]
pub(crate) struct ThreadLists<'a> {
    pub(crate) ids: &'a mut ByThread<i64>,
    pub(crate) processes: &'a mut ByThread<i64>,
}

impl ThreadNumbers {
    /// Begins a file: the decoder's numbers start anew.
    pub(crate) fn begin_file(&mut self) {
        self.slots.clear();
    }

    /// The number of an event's thread, which is added to the lists if it is new.
    #[inline]
    pub(crate) fn of(
        &mut self,
        event: &Event<'_>,
        processes: &mut Processes,
        lists: ThreadLists<'_>,
    ) -> ThreadId {
        if let Some(Some(known)) = self.slots.get(event.thread_slot as usize) {
            return *known;
        }
        self.find(event, processes, lists)
    }

    /// The number of a thread of a process by the operating system's. `None` before its first event.
    pub(crate) fn known(&self, process: ProcessId, os_id: i64) -> Option<ThreadId> {
        self.numbers.get(&(process, os_id)).copied()
    }

    fn find(&mut self, event: &Event<'_>, processes: &mut Processes, lists: ThreadLists<'_>) -> ThreadId {
        let ThreadLists { ids, processes: of_processes } = lists;
        let slot = event.thread_slot as usize;
        let os_id = event.thread.cast_signed();
        // Without a number of its own, a process shares that of the first.
        let process = processes.of_event(event).unwrap_or(ProcessId::FIRST);
        let number = *self.numbers.entry((process, os_id)).or_insert_with(|| {
            of_processes.push(processes.id(process));
            processes.add_thread(process);
            ids.push(os_id)
        });
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, None);
        }
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(number);
        }
        number
    }
}

/// Numbers of activities.
#[derive(Debug, Default)]
pub(crate) struct ActivityNumbers {
    numbers: SeededMap<[u8; 16], ActivityId>,
    /// The last activity of each thread, since most events are of the one before.
    last: ByThread<Option<([u8; 16], ActivityId)>>,
}

impl ActivityNumbers {
    /// The number of an event's activity, which is added to the list if it is new; none if the event is of none.
    #[inline]
    pub(crate) fn of(
        &mut self,
        event: &Event<'_>,
        thread: ThreadId,
        activities: &mut ByActivity<[u8; 16]>,
    ) -> Option<ActivityId> {
        if event.activity == [0; 16] {
            return None;
        }
        if let Some(Some((activity, number))) = self.last.get(thread)
            && *activity == event.activity
        {
            return Some(*number);
        }
        Some(self.find(event, thread, activities))
    }

    fn find(
        &mut self,
        event: &Event<'_>,
        thread: ThreadId,
        activities: &mut ByActivity<[u8; 16]>,
    ) -> ActivityId {
        let number = *self.numbers.entry(event.activity).or_insert_with(|| activities.push(event.activity));
        if let Some(place) = self.last.get_or_grow(thread) {
            *place = Some((event.activity, number));
        }
        number
    }
}

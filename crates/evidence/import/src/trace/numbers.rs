//! The recording's own numbers for threads and activities.

use super::processes::Processes;
use base::seeded::SeededMap;
use model::NO_ID;
use nettrace::Event;

/// Numbers of threads. Two processes may have a thread of the same number, so the process is part of the key.
#[derive(Debug, Default)]
pub(crate) struct ThreadNumbers {
    /// By the decoder's number of the thread; anew for each file. [`NO_ID`] if it is not known yet.
    slots: Vec<u32>,
    numbers: SeededMap<(u32, i64), u32>,
}

/// The threads of the recording, by number: as the operating system numbers them, and of which process.
#[derive(Debug)]
pub(crate) struct ThreadLists<'a> {
    pub(crate) ids: &'a mut Vec<i64>,
    pub(crate) processes: &'a mut Vec<i64>,
}

impl ThreadNumbers {
    /// Begins a file: the decoder's numbers start anew.
    pub(crate) fn begin_file(&mut self) {
        self.slots.clear();
    }

    /// The number of an event's thread, which is added to the lists if it is new.
    #[inline]
    pub(crate) fn of(&mut self, event: &Event<'_>, processes: &mut Processes, lists: ThreadLists<'_>) -> u32 {
        if let Some(number) = self.slots.get(event.thread_slot as usize)
            && *number != NO_ID
        {
            return *number;
        }
        self.find(event, processes, lists)
    }

    fn find(&mut self, event: &Event<'_>, processes: &mut Processes, lists: ThreadLists<'_>) -> u32 {
        let ThreadLists { ids, processes: of_processes } = lists;
        let slot = event.thread_slot as usize;
        let os_id = event.thread.cast_signed();
        let process = processes.of_event(event).unwrap_or(0);
        // Threads are fewer than events, of which a file cannot hold so many.
        let next = u32::try_from(ids.len()).unwrap_or(NO_ID);
        let number = *self.numbers.entry((process, os_id)).or_insert(next);
        if number == next {
            ids.push(os_id);
            of_processes.push(processes.id(process));
            processes.add_thread(process);
        }
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, NO_ID);
        }
        if let Some(place) = self.slots.get_mut(slot) {
            *place = number;
        }
        number
    }
}

/// Numbers of activities.
#[derive(Debug, Default)]
pub(crate) struct ActivityNumbers {
    numbers: SeededMap<[u8; 16], u32>,
    /// By the thread's number: its last activity, since most events are of the one before.
    last: Vec<([u8; 16], u32)>,
}

impl ActivityNumbers {
    /// The number of an event's activity, which is added to the list if it is new; [`NO_ID`] if the event has none.
    pub(crate) fn of(&mut self, event: &Event<'_>, thread: u32, activities: &mut Vec<[u8; 16]>) -> u32 {
        if event.activity == [0; 16] {
            return NO_ID;
        }
        let thread = thread as usize;
        if let Some((activity, number)) = self.last.get(thread)
            && *activity == event.activity
        {
            return *number;
        }
        // Activities are fewer than events, of which a file cannot hold so many.
        let next = u32::try_from(activities.len()).unwrap_or(NO_ID);
        let number = *self.numbers.entry(event.activity).or_insert(next);
        if number == next {
            activities.push(event.activity);
        }
        if thread >= self.last.len() {
            self.last.resize(thread.saturating_add(1), ([0; 16], NO_ID));
        }
        if let Some(place) = self.last.get_mut(thread) {
            *place = (event.activity, number);
        }
        number
    }
}

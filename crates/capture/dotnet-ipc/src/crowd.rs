//! Asking many sockets at once, without letting the silent sockets of one user delay the answers of others.
//!
//! Each user has a budget of waiting time. Sockets that answer use almost none of it, so all services of a busy user are
//! asked. A thousand silent sockets use up the budget, and the rest of them are only counted. Users take turns, each with
//! their newest socket first.
//!
//! What asking means is an argument, so nothing here touches a socket.

use base::time::Deadline;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A user's budget: the time that this many silent sockets take.
pub(crate) const MAX_SILENT: u32 = 64;
/// Limit on the sockets that are asked at once. Above [`MAX_SILENT`], so that one user never takes all places.
const AT_ONCE: usize = 128;
/// Address space that one thread may take: its stack, and what the allocator reserves for it.
const SPACE: u64 = 192 << 20;
/// Limit on the whole time, because one person can act as many users.
const ALL: Duration = Duration::from_secs(5);

/// Something to ask, and when its turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Whose budget it uses.
    pub(crate) user: u32,
    /// A user's highest rank is asked first.
    pub(crate) rank: Rank,
}

/// Orders what is asked of one user: processes before orphaned sockets, and newer ones before older ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    // Compared in this order.
    pub(crate) has_process: bool,
    pub(crate) start_ticks: u64,
}

/// The result of asking many.
#[derive(Debug)]
pub(crate) struct Outcome<T> {
    /// The answers, in the order of the questions.
    pub(crate) answers: Vec<T>,
    /// How many were not asked, by user.
    pub(crate) unasked: BTreeMap<u32, usize>,
}

/// Calls `ask` with indices into `turns`, from many threads. It returns an answer and how long it waited for it, which must
/// not be much longer than `patience`.
pub(crate) fn ask_all<T: Send>(
    turns: &[Turn],
    patience: Duration,
    ask: &(dyn Fn(usize) -> (T, Duration) + Sync),
) -> Outcome<T> {
    let crowd = Mutex::new(Crowd::new(turns, patience));
    let deadline = Deadline::after(ALL);
    let take = || crowd.lock().unwrap_or_else(PoisonError::into_inner).take();
    let work = || {
        let mut answers = Vec::new();
        // A thread that may not ask anything now ends. If that changes, the threads that are still asking go on.
        while !deadline.is_past()
            && let Some(Taken { user, at }) = take()
        {
            let (answer, waited) = ask(at);
            answers.push((at, answer));
            crowd.lock().unwrap_or_else(PoisonError::into_inner).done(user, waited);
        }
        answers
    };
    let mut answers = std::thread::scope(|scope| {
        let others = 1..turns.len().min(at_once());
        let threads: Vec<_> = others
            .filter_map(|_| std::thread::Builder::new().name("ask".to_owned()).spawn_scoped(scope, work).ok())
            .collect();
        // This thread asks too, so it goes on even if no other thread could be started.
        let mut answers = work();
        answers.extend(threads.into_iter().filter_map(|thread| thread.join().ok()).flatten());
        answers
    });
    answers.sort_by_key(|(at, _)| *at);
    let crowd = crowd.into_inner().unwrap_or_else(PoisonError::into_inner);
    Outcome { answers: answers.into_iter().map(|(_, answer)| answer).collect(), unasked: crowd.unasked() }
}

/// How many are asked at once: fewer if the address space is limited (`ulimit -v`), so that threads leave some of it for
/// everything else.
fn at_once() -> usize {
    // A quotient beyond `usize` is far above the limit anyway.
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    limit.map_or(AT_ONCE, |bytes| usize::try_from(bytes / SPACE).unwrap_or(AT_ONCE).clamp(1, AT_ONCE))
}

/// What is still to be asked. Taking one takes time that is logarithmic in the number of users.
#[derive(Debug)]
struct Crowd {
    patience: Duration,
    users: BTreeMap<u32, Line>,
    /// Users who may have more to ask.
    next: BTreeSet<NextUser>,
}

/// Orders users: the one of whom the least has been asked comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct NextUser {
    // Compared in this order.
    asked: usize,
    user: u32,
}

/// What to ask next.
#[derive(Debug)]
struct Taken {
    user: u32,
    /// Its index in the turns.
    at: usize,
}

/// What is to be asked of one user.
#[derive(Debug, Default)]
struct Line {
    /// Indices into the turns, with the highest rank first.
    waiting: VecDeque<usize>,
    asked: usize,
    under_way: u32,
    waited: Duration,
}

impl Line {
    /// Whether the budget allows one more, even if it and all those under way stay silent.
    fn has_room(&self, patience: Duration) -> bool {
        let if_all_silent = patience.saturating_mul(self.under_way.saturating_add(1));
        self.waited.saturating_add(if_all_silent) <= patience.saturating_mul(MAX_SILENT)
    }
}

impl Crowd {
    fn new(turns: &[Turn], patience: Duration) -> Self {
        let mut order: Vec<(usize, &Turn)> = turns.iter().enumerate().collect();
        order.sort_by_key(|(at, turn)| (std::cmp::Reverse(turn.rank), *at));
        let mut users: BTreeMap<u32, Line> = BTreeMap::new();
        for (at, turn) in order {
            users.entry(turn.user).or_default().waiting.push_back(at);
        }
        let next = users.keys().map(|user| NextUser { asked: 0, user: *user }).collect();
        Self { patience, users, next }
    }

    /// Takes the next one to ask. `None` if there is none that a budget allows now.
    fn take(&mut self) -> Option<Taken> {
        // Users that are skipped have a full budget under way, which only a few can have at the same time.
        let has_room = |user| self.users.get(user).is_some_and(|line| line.has_room(self.patience));
        let next = *self.next.iter().find(|next| has_room(&next.user))?;
        self.next.remove(&next);
        let user = next.user;
        let line = self.users.get_mut(&user)?;
        let at = line.waiting.pop_front()?;
        line.asked = line.asked.saturating_add(1);
        line.under_way = line.under_way.saturating_add(1);
        if !line.waiting.is_empty() {
            self.next.insert(NextUser { asked: line.asked, user });
        }
        Some(Taken { user, at })
    }

    /// Takes the time of an answer from a user's budget.
    fn done(&mut self, user: u32, waited: Duration) {
        let Some(line) = self.users.get_mut(&user) else { return };
        line.under_way = line.under_way.saturating_sub(1);
        line.waited = line.waited.saturating_add(waited);
        if line.under_way == 0 && !line.has_room(self.patience) {
            self.next.remove(&NextUser { asked: line.asked, user });
        }
    }

    fn unasked(&self) -> BTreeMap<u32, usize> {
        let left = self.users.iter().filter(|(_, line)| !line.waiting.is_empty());
        left.map(|(user, line)| (*user, line.waiting.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const PATIENCE: Duration = Duration::from_secs(1);

    fn turns(of: &[(u32, usize)]) -> Vec<Turn> {
        let each = of.iter().flat_map(|(user, count)| (0..*count).map(|rank| (*user, rank)));
        each.map(|(user, rank)| Turn { user, rank: Rank { has_process: true, start_ticks: rank as u64 } })
            .collect()
    }

    /// Asks the sockets of each user in `of`, whose answers take `wait`. Returns who was asked.
    fn check(
        of: &[(u32, usize)],
        wait: fn(u32) -> Duration,
        unasked: &[(u32, usize)],
    ) -> Outcome<(u32, u64)> {
        let turns = turns(of);
        let asked = AtomicUsize::new(0);
        let outcome = ask_all(&turns, PATIENCE, &|at| {
            asked.fetch_add(1, Ordering::Relaxed);
            ((turns[at].user, turns[at].rank.start_ticks), wait(turns[at].user))
        });
        assert_eq!(outcome.unasked, unasked.iter().copied().collect());
        let left: usize = unasked.iter().map(|(_, left)| left).sum();
        assert_eq!(
            [outcome.answers.len(), asked.into_inner()].map(|count| count.checked_add(left)),
            [Some(turns.len()); 2]
        );
        outcome
    }

    #[test]
    fn a_thousand_silent_sockets_of_one_user_cost_64_waits_and_do_not_delay_others() {
        let wait = |user| if user == 666 { PATIENCE } else { Duration::from_millis(20) };
        let outcome = check(&[(666, 1000), (7, 1), (1654, 300)], wait, &[(666, 936)]);
        let newest: Vec<u64> =
            outcome.answers.iter().filter(|(user, _)| *user == 666).map(|(_, rank)| *rank).collect();
        assert_eq!(newest, (936..1000).collect::<Vec<u64>>(), "the newest, in the order of the questions");
    }

    #[test]
    fn answers_that_come_just_in_time_use_up_the_budget_too() {
        check(&[(666, 1000)], |_| Duration::from_millis(999), &[(666, 936)]);
    }

    #[test]
    fn all_of_a_user_are_asked_if_most_answer() {
        check(&[(0, 3000)], |_| Duration::from_millis(20), &[]);
        check(&[], |_| PATIENCE, &[]);
    }

    #[test]
    fn users_take_turns() {
        let turns = turns(&[(1, 3), (2, 1), (3, 2)]);
        let mut crowd = Crowd::new(&turns, PATIENCE);
        let order: Vec<u32> = std::iter::from_fn(|| crowd.take()).map(|taken| taken.user).collect();
        assert_eq!(order, [1, 2, 3, 1, 3, 1]);
    }
}

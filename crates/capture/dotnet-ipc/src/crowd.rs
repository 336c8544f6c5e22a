//! Many sockets asked at once, so that those of one user cost the others nothing.
//!
//! Each user has a budget of waiting, from which the time is taken that their sockets take to answer. Sockets that answer
//! cost nearly nothing, so the services of a busy user are all asked; a thousand that stay silent use the budget up, and the
//! rest of them are counted. Users take turns, the newest of each first.
//!
//! It knows no socket: what asking means is an argument.

use base::time::Deadline;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What the sockets of one user may wait for answers, all together, in longest waits: so many may stay silent.
pub(crate) const MOST_SILENT: u32 = 64;
/// Sockets that are asked at once: those of one user that stay silent leave room for others.
const AT_ONCE: usize = 128;
/// Address space that a thread may take: its stack, and what the allocator sets aside for it.
const SPACE: u64 = 192 << 20;
/// How long all of it may take, whatever the number of users: one may act as many.
const ALL: Duration = Duration::from_secs(5);

/// Something to be asked, as far as its turn goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The user whose it is.
    pub(crate) user: u32,
    /// Those that rank higher come first among a user's.
    pub(crate) rank: (bool, u64),
}

/// What became of a crowd.
#[derive(Debug)]
pub(crate) struct Outcome<T> {
    /// The answers, in the order of the questions.
    pub(crate) answers: Vec<T>,
    /// How many of whom were not asked.
    pub(crate) unasked: BTreeMap<u32, usize>,
}

/// Asks many; `ask` takes the place of one in `turns` and returns its answer with the time that it waited, which is about
/// `patience` at most.
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
        // One that finds nothing it may ask ends; whoever is still asking looks again after that.
        while !deadline.is_past()
            && let Some((user, at)) = take()
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
        // Where no thread can be started we ask alone.
        let mut answers = work();
        answers.extend(threads.into_iter().filter_map(|thread| thread.join().ok()).flatten());
        answers
    });
    answers.sort_by_key(|(at, _)| *at);
    let crowd = crowd.into_inner().unwrap_or_else(PoisonError::into_inner);
    Outcome { answers: answers.into_iter().map(|(_, answer)| answer).collect(), unasked: crowd.unasked() }
}

/// How many are asked at once: fewer where the address space is limited (`ulimit -v`), since threads that take all of it
/// leave nothing to whatever else we do.
fn at_once() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    limit.map_or(AT_ONCE, |bytes| usize::try_from(bytes / SPACE).unwrap_or(AT_ONCE).clamp(1, AT_ONCE))
}

/// What is still to be asked. Taking one costs the logarithm of the number of users.
#[derive(Debug)]
struct Crowd {
    patience: Duration,
    users: BTreeMap<u32, Line>,
    /// Users that may have more to be asked, by how many of theirs were: the least asked comes first.
    next: BTreeSet<(usize, u32)>,
}

/// What one user has in a crowd.
#[derive(Debug, Default)]
struct Line {
    /// Places in the list of what is asked; the highest rank first.
    waiting: VecDeque<usize>,
    asked: usize,
    under_way: u32,
    waited: Duration,
}

impl Line {
    /// Whether the budget has room for one more, if it and all under way stay silent.
    fn has_room(&self, patience: Duration) -> bool {
        let at_most = patience.saturating_mul(self.under_way.saturating_add(1));
        self.waited.saturating_add(at_most) <= patience.saturating_mul(MOST_SILENT)
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
        let next = users.keys().map(|user| (0, *user)).collect();
        Self { patience, users, next }
    }

    /// The next to be asked, with its user.
    fn take(&mut self) -> Option<(u32, usize)> {
        // Those passed over have a full budget under way, which few can have at once.
        let has_room = |user| self.users.get(user).is_some_and(|line| line.has_room(self.patience));
        let (asked, user) = *self.next.iter().find(|(_, user)| has_room(user))?;
        self.next.remove(&(asked, user));
        let line = self.users.get_mut(&user)?;
        let at = line.waiting.pop_front()?;
        line.asked = line.asked.saturating_add(1);
        line.under_way = line.under_way.saturating_add(1);
        if !line.waiting.is_empty() {
            self.next.insert((line.asked, user));
        }
        Some((user, at))
    }

    /// Takes from a user's budget what an answer took.
    fn done(&mut self, user: u32, waited: Duration) {
        let Some(line) = self.users.get_mut(&user) else { return };
        line.under_way = line.under_way.saturating_sub(1);
        line.waited = line.waited.saturating_add(waited);
        if line.under_way == 0 && !line.has_room(self.patience) {
            self.next.remove(&(line.asked, user));
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
        each.map(|(user, rank)| Turn { user, rank: (true, rank as u64) }).collect()
    }

    /// How many of each user were asked, and which were not; `wait` says what an answer takes.
    fn check(
        of: &[(u32, usize)],
        wait: fn(u32) -> Duration,
        unasked: &[(u32, usize)],
    ) -> Outcome<(u32, u64)> {
        let turns = turns(of);
        let asked = AtomicUsize::new(0);
        let outcome = ask_all(&turns, PATIENCE, &|at| {
            asked.fetch_add(1, Ordering::Relaxed);
            ((turns[at].user, turns[at].rank.1), wait(turns[at].user))
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
    fn a_thousand_silent_sockets_of_one_user_cost_64_waits_and_the_others_none() {
        let wait = |user| if user == 666 { PATIENCE } else { Duration::from_millis(20) };
        let outcome = check(&[(666, 1000), (7, 1), (1654, 300)], wait, &[(666, 936)]);
        let newest: Vec<u64> =
            outcome.answers.iter().filter(|(user, _)| *user == 666).map(|(_, rank)| *rank).collect();
        assert_eq!(newest, (936..1000).collect::<Vec<u64>>(), "the newest, in the order of the questions");
    }

    #[test]
    fn answers_that_come_just_in_time_use_the_budget_up_as_well() {
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
        let order: Vec<u32> = std::iter::from_fn(|| crowd.take()).map(|(user, _)| user).collect();
        assert_eq!(order, [1, 2, 3, 1, 3, 1]);
    }
}

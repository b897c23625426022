//! An account's builds: some run, the others wait for a place.
//!
//! Nothing here has a timer. [`BuildQueue::advance`] is told the time and tells what happened since it was told last, in order and
//! with the instants at which it happened, so it does not matter how seldom somebody looks.

use std::collections::VecDeque;

/// The builds of an account that have not ended.
#[derive(Debug, Default)]
pub(super) struct BuildQueue {
    waiting: VecDeque<Waiting>,
    running: Vec<Running>,
    told_until_ms: u64,
}

#[derive(Debug)]
struct Waiting {
    id: String,
    from_ms: u64,
    takes_ms: Option<u64>,
}

#[derive(Debug)]
struct Running {
    id: String,
    until_ms: Option<u64>,
}

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// A build began, and ends at the instant given, if ever.
    Began {
        id: String,
        at_ms: u64,
        until_ms: Option<u64>,
    },
    /// It came to its end.
    Ended { id: String, at_ms: u64 },
}

impl BuildQueue {
    /// A build that may begin at `from_ms`, and takes so long; `None` = for ever.
    pub(super) fn add(&mut self, id: String, from_ms: u64, takes_ms: Option<u64>) {
        self.waiting.push_back(Waiting {
            id,
            from_ms,
            takes_ms,
        });
    }

    /// A build that was canceled or removed at `at_ms`: its place is free.
    pub(super) fn remove(&mut self, id: &str) {
        self.waiting.retain(|one| one.id != id);
        self.running.retain(|one| one.id != id);
    }

    /// What happened until now, with so many places.
    pub(super) fn advance(&mut self, now_ms: u64, places: usize) -> Vec<Happened> {
        let mut happened = Vec::new();
        loop {
            let begin = self.next_begin(places);
            let end = self.next_end();
            // Of what happens at the same instant the ends come first: they make room.
            let is_end = match (begin, end) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some((begins_ms, _)), Some((ends_ms, _))) => ends_ms <= begins_ms,
            };
            let next = if is_end { end } else { begin };
            let Some((at_ms, place)) = next.filter(|(at_ms, _)| *at_ms <= now_ms) else {
                break;
            };
            self.told_until_ms = self.told_until_ms.max(at_ms);
            if is_end {
                let id = self.running.swap_remove(place).id;
                happened.push(Happened::Ended { id, at_ms });
            } else if let Some(Waiting { id, takes_ms, .. }) = self.waiting.remove(place) {
                let until_ms = takes_ms.map(|takes| at_ms.saturating_add(takes));
                self.running.push(Running {
                    id: id.clone(),
                    until_ms,
                });
                happened.push(Happened::Began {
                    id,
                    at_ms,
                    until_ms,
                });
            }
        }
        self.told_until_ms = self.told_until_ms.max(now_ms);
        happened
    }

    fn next_begin(&self, places: usize) -> Option<(u64, usize)> {
        if self.running.len() >= places {
            return None;
        }
        let of = |(place, one): (usize, &Waiting)| (one.from_ms.max(self.told_until_ms), place);
        self.waiting.iter().enumerate().map(of).min()
    }

    fn next_end(&self) -> Option<(u64, usize)> {
        let of = |(place, one): (usize, &Running)| Some((one.until_ms?, place));
        self.running.iter().enumerate().filter_map(of).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(queue: &mut BuildQueue, now_ms: u64, places: usize) -> Vec<String> {
        queue
            .advance(now_ms, places)
            .into_iter()
            .map(|one| match one {
                Happened::Began { id, at_ms, .. } => format!("{at_ms} {id} begins"),
                Happened::Ended { id, at_ms } => format!("{at_ms} {id} ends"),
            })
            .collect()
    }

    #[test]
    fn builds_wait_for_a_place_in_order_and_keep_their_instants_however_late_one_looks() {
        let mut queue = BuildQueue::default();
        queue.add("a".into(), 0, Some(10));
        queue.add("b".into(), 1, Some(10));
        queue.add("c".into(), 2, Some(5));
        let expected = [
            "0 a begins",
            "10 a ends",
            "10 b begins",
            "20 b ends",
            "20 c begins",
        ];
        assert_eq!(told(&mut queue, 22, 1), expected);
        assert_eq!(told(&mut queue, 24, 1), [""; 0]);
        assert_eq!(told(&mut queue, 99, 1), ["25 c ends"]);
    }

    #[test]
    fn what_is_removed_makes_room_from_now_on() {
        let mut queue = BuildQueue::default();
        queue.add("a".into(), 0, None);
        queue.add("b".into(), 0, Some(5));
        assert_eq!(told(&mut queue, 50, 1), ["0 a begins"]);
        queue.remove("a");
        assert_eq!(told(&mut queue, 60, 1), ["50 b begins", "55 b ends"]);
    }

    #[test]
    fn a_build_does_not_begin_before_its_time() {
        let mut queue = BuildQueue::default();
        queue.add("a".into(), 30, Some(0));
        assert_eq!(told(&mut queue, 29, 2), [""; 0]);
        assert_eq!(told(&mut queue, 30, 2), ["30 a begins", "30 a ends"]);
    }
}

use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;

const NO_BOUND: Bound = Bound(None);

fn tenant(name: &str) -> TenantId {
    TenantId::try_new(name).unwrap()
}

/// The slot, where it is this one's turn by now.
fn slot(turn: &mut Turn) -> Option<Slot> {
    match turn.told().now_or_never()? {
        Told::Go(slot) => Some(slot),
        Told::Beyond => panic!("it was told to leave"),
    }
}

fn is_beyond(turn: &mut Turn) -> bool {
    matches!(turn.told().now_or_never(), Some(Told::Beyond))
}

#[test]
fn a_newcomer_is_next_however_long_the_line() {
    let turns = Turns::new(2, NO_BOUND);
    let (flood, small) = (tenant("flood"), tenant("small"));
    let mut line: Vec<_> = (0..1_000).map(|_| turns.line_up(&flood, true)).collect();
    let mut running: Vec<_> = line.iter_mut().map_while(slot).collect();
    assert_eq!(running.len(), 2);
    let mut newcomer = turns.line_up(&small, true);
    assert!(slot(&mut newcomer).is_none());
    drop(running.pop());
    assert!(slot(&mut newcomer).is_some());
}

#[test]
fn long_builds_do_not_gather_slots() {
    let turns = Turns::new(4, NO_BOUND);
    let (slow, quick) = (tenant("slow"), tenant("quick"));
    let mut slow_line: Vec<_> = (0..50).map(|_| turns.line_up(&slow, true)).collect();
    let mut quick_line: Vec<_> = (0..50).map(|_| turns.line_up(&quick, true)).collect();
    let mut slow_running: Vec<_> = slow_line.iter_mut().map_while(slot).collect();
    assert_eq!(slow_running.len(), 4);
    // The slow ones end two; from then on only quick ones end.
    slow_running.truncate(2);
    for ended in 0..40 {
        let mut quick_running = quick_line.iter_mut().filter_map(slot_if_told);
        let one = quick_running.next();
        assert!(one.is_some(), "after {ended}");
    }
    assert!(
        slow_line[4..]
            .iter_mut()
            .all(|turn| slot_if_told(turn).is_none())
    );
}

/// Like [`slot`], for turns that may have been heard before.
fn slot_if_told(turn: &mut Turn) -> Option<Slot> {
    match turn.told.try_recv() {
        Ok(Told::Go(slot)) => Some(slot),
        Ok(Told::Beyond) | Err(_) => None,
    }
}

#[test]
fn what_is_beyond_leaves_newest_first_and_an_only_one_stays() {
    let turns = Turns::new(1, Bound(Some(3)));
    let (flood, small) = (tenant("flood"), tenant("small"));
    let mut running = turns.line_up(&flood, true);
    let running = slot(&mut running).unwrap();
    let mut line: Vec<_> = (0..4).map(|_| turns.line_up(&flood, true)).collect();
    assert!(is_beyond(&mut line[3]));
    let mut newcomer = turns.line_up(&small, true);
    assert!(is_beyond(&mut line[2]), "it makes room for a newcomer");
    assert!(!is_beyond(&mut newcomer));
    drop(running);
    assert!(slot(&mut newcomer).is_some());
    assert!(slot(&mut line[0]).is_some() && slot(&mut line[1]).is_some());
}

/// Else it would stand behind the flood in the backlog too.
#[test]
fn whoever_floods_goes_on_moving_and_not_the_others() {
    let turns = Turns::new(1, Bound(Some(8)));
    let flood = tenant("flood");
    let mut running = turns.line_up(&flood, true);
    let _running = slot(&mut running).unwrap();
    let mut moved = 0;
    let mut line: Vec<_> = (0..100).map(|_| turns.line_up(&flood, true)).collect();
    line.retain_mut(|turn| !is_beyond_counted(turn, &mut moved));
    assert_eq!((line.len(), moved), (8, 92));
    let names = ["a", "b", "c", "d"].map(tenant);
    let mut others: Vec<_> = names
        .iter()
        .flat_map(|name| [name; 2])
        .map(|name| turns.line_up(name, true))
        .collect();
    assert!(!others.iter_mut().any(is_beyond), "they have little");
    line.retain_mut(|turn| !is_beyond_counted(turn, &mut moved));
    assert_eq!(line.len(), 1);
    drop((line, others));
    turns.all_came_back();
    assert_eq!(turns.lock().tenants.len(), 1, "what runs");
}

fn is_beyond_counted(turn: &mut Turn, moved: &mut usize) -> bool {
    let is_beyond = is_beyond(turn);
    *moved += usize::from(is_beyond);
    is_beyond
}

#[test]
fn whoever_has_asked_the_store_is_not_told_to_leave() {
    let turns = Turns::new(1, Bound(Some(1)));
    let flood = tenant("flood");
    let mut running = turns.line_up(&flood, true);
    let _running = slot(&mut running).unwrap();
    let mut asked: Vec<_> = (0..5).map(|_| turns.line_up(&flood, false)).collect();
    assert!(!asked.iter_mut().any(is_beyond));
    let mut late = turns.line_up(&flood, true);
    assert!(is_beyond(&mut late));
}

#[test]
fn who_waits_for_anothers_lease_fills_the_window_too() {
    let turns = Turns::new(1, Bound(Some(2)));
    let flood = tenant("flood");
    let mut running = turns.line_up(&flood, true);
    let _running = slot(&mut running).unwrap();
    let waits = [turns.elsewhere(&flood), turns.elsewhere(&flood)];
    let mut beyond = turns.line_up(&flood, true);
    assert!(is_beyond(&mut beyond));
    drop(waits);
    let mut fits = turns.line_up(&flood, true);
    assert!(!is_beyond(&mut fits));
}

#[tokio::test]
async fn a_slot_is_idle_only_where_nobody_waits() {
    let turns = Turns::new(1, NO_BOUND);
    assert_eq!(turns.until_idle().await, 1);
    let acme = tenant("acme");
    let slot = turns.try_slot().unwrap().taken_by(&acme);
    assert!(turns.try_slot().is_none());
    let waits = turns.line_up(&acme, true);
    drop(slot);
    assert!(
        turns.until_idle().now_or_never().is_none(),
        "it went to the one in line, who has not heard it yet"
    );
    drop(waits);
    assert_eq!(turns.until_idle().now_or_never(), Some(1));
    assert!(turns.lock().tenants.is_empty());
}

#[test]
fn the_bound_is_a_part_of_what_does_not_run() {
    assert_eq!(Bound::of_window(128, 32, 50), Bound(Some(48)));
    assert_eq!(Bound::of_window(128, 32, 100), Bound(None));
    assert_eq!(Bound::of_window(2, 1, 50), Bound(Some(1)));
    assert_eq!(Bound::of_window(1, 32, 1), Bound(Some(1)));
}

#[derive(Clone, Debug)]
enum Op {
    LineUp {
        tenant: u8,
        may_leave: bool,
    },
    /// Gives up the place in line, or the slot if it was told of one and has not heard.
    GiveUp(usize),
    Hear(usize),
    End(usize),
    Elsewhere(u8),
    Return(usize),
    Reserve(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..4_u8, prop::bool::weighted(0.8)).prop_map(|(tenant, may_leave)| Op::LineUp { tenant, may_leave }),
        1 => (0..100_usize).prop_map(Op::GiveUp),
        4 => (0..100_usize).prop_map(Op::Hear),
        4 => (0..100_usize).prop_map(Op::End),
        1 => (0..4_u8).prop_map(Op::Elsewhere),
        1 => (0..100_usize).prop_map(Op::Return),
        1 => (0..4_u8).prop_map(Op::Reserve),
    ]
}

fn take<T>(from: &mut Vec<T>, number: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.remove(number % from.len()))
}

proptest! {
    /// Whatever is dropped when: no slot is lost or given twice, none is idle while somebody waits, the window keeps its room, and
    /// in the end nothing is remembered.
    #[test]
    fn nothing_is_lost_whoever_gives_up(
        slots in 1..4_usize,
        bound in prop::option::of(1..6_usize),
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let turns = Turns::new(slots, Bound(bound));
        let name = |number: u8| tenant(&format!("t{number}"));
        let (mut line, mut running, mut elsewhere) = (Vec::new(), Vec::new(), Vec::new());
        for op in ops {
            match op {
                Op::LineUp { tenant, may_leave } => line.push((turns.line_up(&name(tenant), may_leave), may_leave)),
                Op::GiveUp(number) => drop(take(&mut line, number)),
                Op::End(number) => drop(take(&mut running, number)),
                Op::Elsewhere(tenant) => elsewhere.push(turns.elsewhere(&name(tenant))),
                Op::Return(number) => drop(take(&mut elsewhere, number)),
                Op::Reserve(tenant) => running.extend(turns.try_slot().map(|slot| slot.taken_by(&name(tenant)))),
                Op::Hear(number) => if let Some((mut turn, may_leave)) = take(&mut line, number) {
                    match turn.told().now_or_never() {
                        Some(Told::Go(slot)) => running.push(slot),
                        Some(Told::Beyond) => prop_assert!(may_leave),
                        None => line.push((turn, may_leave)),
                    }
                },
            }
            let state = turns.lock();
            let in_line: usize = state.tenants.values().map(|one| one.line.len()).sum();
            let with_slot: usize = state.tenants.values().map(|one| one.running).sum();
            prop_assert_eq!(state.free + with_slot, slots);
            prop_assert_eq!(state.waiting, in_line + elsewhere.len());
            prop_assert!(in_line == 0 || state.free == 0);
            if state.bound.0.is_some_and(|bound| state.waiting > bound) {
                let little = state.bound.0.unwrap_or_default().div_ceil(4);
                prop_assert!(!state.tenants.values().any(|one| one.can_spare(little)));
            }
        }
        drop((line, running, elsewhere));
        turns.all_came_back();
        prop_assert_eq!(turns.lock().free, slots);
        prop_assert!(turns.lock().tenants.is_empty());
    }

    /// Whoever has nothing running is served before as many others as had nothing either when it came, and no later.
    #[test]
    fn nobody_starves(
        slots in 1..4_usize,
        floods in 1..5_u8,
        newcomers_after in prop::collection::vec(0..3_u8, 20),
    ) {
        let turns = Turns::new(slots, NO_BOUND);
        let mut line: Vec<_> = (0..200).map(|n| turns.line_up(&tenant(&format!("flood{}", n % floods)), true)).collect();
        let patient = tenant("patient");
        let mut waits = turns.line_up(&patient, true);
        let before: usize = turns.lock().tenants.values().filter(|one| one.running == 0).count();
        let mut running: VecDeque<_> = VecDeque::new();
        let mut grants = 0;
        for (round, newcomers) in newcomers_after.iter().enumerate() {
            for n in 0..*newcomers {
                line.push(turns.line_up(&tenant(&format!("new{round}-{n}")), true));
            }
            running.extend(line.iter_mut().filter_map(slot_if_told));
            if slot_if_told(&mut waits).is_some() {
                break;
            }
            drop(running.pop_front());
            grants += 1;
            prop_assert!(grants <= before, "{} grants, {} stood before it", grants, before);
        }
        prop_assert!(grants <= before);
    }
}

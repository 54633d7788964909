//! Priorities: whom a limiter turns away, as shares of many calls.

use proptest::prelude::*;
use seawall::Rng;
use seawall::limit::priority::{Ask, LEVELS, Priorities, Priority, REMEMBERED, Rank, shed_rate};

const CLASSES: [Priority; 5] =
    [Priority::VeryLow, Priority::Low, Priority::Medium, Priority::High, Priority::VeryHigh];

fn ask(class: Priority, user: Option<&str>) -> Ask<'_> {
    Ask { rank: Rank::Class(class), user }
}

#[test]
fn the_rate_grows_between_twice_and_three_times_the_limit() {
    let rates = [0, 20, 21, 25, 29, 30, 31].map(|queued| shed_rate(queued, 20, 30));
    assert_eq!(rates, [0.0, 0.0, 0.1, 0.5, 0.9, 1.0, 1.0]);
    assert_eq!([shed_rate(0, 0, 0), shed_rate(0, 0, 1), shed_rate(1, 0, 1)], [1.0, 0.0, 1.0]);
    assert_eq!(shed_rate(u32::MAX - 1, 5, u32::MAX), 1.0 - 1.0 / f64::from(u32::MAX - 5));
}

#[test]
fn levels_lie_in_their_class_and_a_level_given_is_kept() {
    let mut priorities = Priorities::new(Rng::new(1));
    for (index, class) in CLASSES.into_iter().enumerate() {
        let mut tens = [0u32; 10];
        for _ in 0..1_000 {
            let level = usize::from(priorities.judge(&Ask::class(class), 0.0).level);
            assert_eq!(level / 100, index);
            tens[level % 100 / 10] += 1;
        }
        assert!(tens.iter().all(|count| (60..140).contains(count)), "{tens:?}");
    }
    for (given, want) in [(0, 0), (123, 123), (499, 499), (500, 499), (u16::MAX, 499)] {
        let ask = Ask { rank: Rank::Level(given), user: Some("a") };
        assert_eq!(priorities.judge(&ask, 0.0).level, want);
    }
}

#[test]
fn codes_of_a_door() {
    let level = |code| Rank::from_code(code);
    assert_eq!(level(0.0), Rank::Level(0));
    assert_eq!(level(999.0), Rank::Level(999));
    for (index, class) in CLASSES.into_iter().enumerate() {
        assert_eq!(level(1_000.0 + index as f64), Rank::Class(class));
    }
    for none in [f64::NAN, -1.0, 1_005.0, f64::INFINITY] {
        assert_eq!(level(none), Rank::Class(Priority::Medium));
    }
}

/// A limiter that asks for a constant rate gets it, from the lowest levels on, for as long as it
/// asks. With the levels of those let in alone the share turned away climbs towards all.
#[test]
fn turns_away_the_share_asked_for_from_below() {
    for rate in [0.1, 0.3, 0.5, 0.9] {
        let mut priorities = Priorities::new(Rng::new(5));
        let (mut shed, mut all) = ([0.0; 5], [0.0; 5]);
        for i in 0..50_000 {
            let class = i % 5;
            let verdict = priorities.judge(&Ask::class(CLASSES[class]), rate);
            if i >= 1_000 {
                all[class] += 1.0;
                shed[class] += f64::from(u8::from(!verdict.admitted));
            }
        }
        let share = shed.iter().sum::<f64>() / all.iter().sum::<f64>();
        assert!((share - rate).abs() < 0.02, "{share} instead of {rate}");
        for (class, share) in shed.iter().zip(all).map(|(shed, all)| shed / all).enumerate() {
            let want = (rate * 5.0 - class as f64).clamp(0.0, 1.0);
            assert!((share - want).abs() < 0.1, "{rate}: class {class} lost {share}");
        }
    }
}

#[test]
fn nobody_is_turned_away_without_need() {
    let mut priorities = Priorities::new(Rng::new(1));
    for _ in 0..2_000 {
        assert!(priorities.judge(&Ask::class(Priority::VeryHigh), 0.0).admitted);
    }
    assert!(priorities.judge(&Ask::class(Priority::VeryLow), 0.0).admitted);
    assert!(!priorities.judge(&Ask::class(Priority::VeryLow), 0.001).admitted);
    let mut fresh = Priorities::new(Rng::new(1));
    assert!(fresh.judge(&Ask::class(Priority::VeryLow), 1.0).admitted, "nothing to compare with");
}

/// One user sends nine calls of ten, thirty others the tenth.
#[test]
fn the_heaviest_user_is_turned_away_first() {
    let names: Vec<String> = (0..30).map(|i| format!("user {i}")).collect();
    let mut priorities = Priorities::new(Rng::new(2));
    let mut rng = Rng::new(3);
    let (mut heavy, mut light) = ([0.0; 2], [0.0; 2]);
    for i in 0..50_000 {
        let is_heavy = rng.unit() < 0.9;
        let user = match is_heavy {
            true => "the heavy one",
            false => &names[(rng.unit() * 30.0) as usize],
        };
        let verdict = priorities.judge(&ask(Priority::Medium, Some(user)), 0.5);
        let counted = if is_heavy { &mut heavy } else { &mut light };
        if i >= 1_000 {
            counted[usize::from(verdict.admitted)] += 1.0;
        }
    }
    let share = |[shed, admitted]: [f64; 2]| shed / (shed + admitted);
    assert!(share(light) < 0.03, "light users lost {}", share(light));
    assert!((share(heavy) - 0.5).abs() < 0.1, "the heavy one lost {}", share(heavy));
    assert!((15..=31).contains(&priorities.users()), "those of the last thousand calls");
}

/// Two users ask for six and four of ten calls, and there is room for half of them; one more asks
/// for a tenth of that and gets it.
#[test]
fn users_who_ask_for_too_much_are_served_alike() {
    let mut priorities = Priorities::new(Rng::new(2));
    let mut rng = Rng::new(4);
    let (mut served, mut asked) = ([0.0; 3], [0.0; 3]);
    for i in 0..60_000 {
        let draw = rng.unit() * 10.5;
        let user = if draw < 6.0 {
            0
        } else if draw < 10.0 {
            1
        } else {
            2
        };
        let name = ["six", "four", "half"][user];
        let verdict = priorities.judge(&ask(Priority::Medium, Some(name)), 0.5);
        if i >= 1_000 {
            asked[user] += 1.0;
            served[user] += f64::from(u8::from(verdict.admitted));
        }
    }
    let ratio = served[0] / served[1];
    assert!((ratio - 1.0).abs() < 0.1, "{served:?} of {asked:?}");
    assert!(served[2] / asked[2] > 0.95, "{served:?} of {asked:?}");
}

#[test]
fn a_user_of_a_higher_class_stays_above() {
    let mut priorities = Priorities::new(Rng::new(2));
    for _ in 0..500 {
        let heavy = priorities.judge(&ask(Priority::High, Some("heavy")), 0.0);
        let light = priorities.judge(&ask(Priority::Low, Some("light")), 0.0);
        assert!(heavy.level >= 300 && light.level < 200);
    }
}

#[test]
fn equal_users_are_alike() {
    let mut priorities = Priorities::new(Rng::new(2));
    let mut sums = [0.0; 4];
    for i in 0..40_000 {
        let user = i % 4;
        let name = ["a", "b", "c", "d"][user];
        let level = priorities.judge(&ask(Priority::Medium, Some(name)), 0.0).level;
        sums[user] += f64::from(level) - 200.0;
    }
    assert!(sums.iter().all(|sum| (sum / 10_000.0 - 49.5).abs() < 25.0), "{sums:?}");
}

#[test]
fn users_without_end_are_bounded_and_forgotten() {
    let mut priorities = Priorities::new(Rng::new(2));
    for i in 0..100_000 {
        let name = format!("user {i}");
        priorities.judge(&ask(Priority::Medium, Some(&name)), 0.5);
        assert!(priorities.users() <= u32::from(REMEMBERED));
    }
    assert_eq!(priorities.calls(), u32::from(REMEMBERED));
    for _ in 0..REMEMBERED {
        priorities.judge(&Ask::class(Priority::Medium), 0.5);
    }
    assert_eq!(priorities.users(), 0);
}

proptest! {
    /// The threshold is the level at that place of the sorted last thousand.
    #[test]
    fn thresholds_agree_with_a_sorted_list(
        levels in prop::collection::vec(0..LEVELS, 1..2_500),
        rate in 0.0..=1.0f64,
    ) {
        let mut priorities = Priorities::new(Rng::new(1));
        for level in &levels {
            priorities.judge(&Ask { rank: Rank::Level(*level), user: None }, 0.0);
        }
        let from = levels.len().saturating_sub(usize::from(REMEMBERED));
        let mut last = levels[from..].to_vec();
        last.sort_unstable();
        let rank = ((rate * last.len() as f64) as usize).min(last.len() - 1);
        let want = if rate > 0.0 { last[rank] } else { 0 };
        prop_assert_eq!(priorities.threshold(rate), want);
    }
}

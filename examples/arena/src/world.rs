//! The game: who is where, who wears the crown, who wins. It knows no clock, no network and no names, and computes in
//! integers alone, so that the same seed and steering give the same world everywhere.
//!
//! Whoever touches the crown wears it, and has a point for each second of that. Whoever touches the wearer takes it, and
//! is safe for a moment. Dots are a point each. Who has [`GOAL`] points wins the round, and the next one begins.

use crate::random::Random;

/// How many steps the world takes in a second.
pub const STEPS_PER_SECOND: u32 = 30;
/// How many can play in one world.
pub const SEATS: usize = 16;
/// How many dots there are. One that is eaten comes back elsewhere.
pub const DOTS: usize = 12;
/// How many points win a round.
pub const GOAL: u16 = 50;
/// Lengths are in sixteenths of a pixel of a field that is 960 pixels wide and 640 high.
pub const WIDTH: i32 = 960 * 16;
/// Its height.
pub const HEIGHT: i32 = 640 * 16;
/// How large players are.
pub const PLAYER_RADIUS: i32 = 18 * 16;
/// How large dots are.
pub const DOT_RADIUS: i32 = 6 * 16;
/// How large the crown is while nobody wears it.
pub const CROWN_RADIUS: i32 = 14 * 16;

/// In a step, with full steering.
const SPEED: i32 = 8 * 16;
/// The crown is heavy.
const SPEED_WITH_CROWN: i32 = 27 * 4;
/// For how many steps nobody can take the crown from one who has just taken it.
const SAFE_STEPS: u32 = STEPS_PER_SECOND;
/// Full steering.
const FULL: i32 = 127;

/// A place on the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From the left.
    pub x: i32,
    /// From the top.
    pub y: i32,
}

impl Place {
    fn is_within(self, distance: i32, other: Self) -> bool {
        let (x, y) = (self.x - other.x, self.y - other.y);
        x * x + y * y <= distance * distance
    }
}

/// Where a player wants to go: a direction, and how fast, of 127.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// To the right.
    pub x: i8,
    /// Downwards.
    pub y: i8,
}

impl Steering {
    /// The speed that is wanted. Nobody is faster diagonally.
    fn wanted(self, most: i32) -> (i32, i32) {
        let (x, y) = (i32::from(self.x), i32::from(self.y));
        let length = (x * x + y * y).isqrt().max(FULL);
        (x * most / length, y * most / length)
    }
}

/// One who plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    /// Where the middle of it is.
    pub place: Place,
    /// In this round.
    pub score: u16,
    steering: Steering,
    speed: (i32, i32),
}

/// Where the crown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crown {
    /// On the ground.
    Lies(Place),
    /// On somebody's head.
    Worn {
        /// In which seat.
        by: usize,
        /// For how many steps.
        steps: u32,
    },
}

/// One room's game.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    random: Random,
    step: u32,
    players: [Option<Player>; SEATS],
    dots: [Place; DOTS],
    crown: Crown,
    round: u16,
    winner: Option<usize>,
}

impl World {
    /// A field that nobody is on. The seed decides where everything appears.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            step: 0,
            players: [const { None }; SEATS],
            dots: [(); DOTS].map(|()| somewhere(&mut random, DOT_RADIUS)),
            crown: Crown::Lies(somewhere(&mut random, CROWN_RADIUS)),
            round: 1,
            winner: None,
            random,
        }
    }

    /// Somebody comes, and is put somewhere. `None` if all seats are taken.
    pub fn enter(&mut self) -> Option<usize> {
        let seat = self.players.iter().position(Option::is_none)?;
        self.players[seat] = Some(Player {
            place: somewhere(&mut self.random, PLAYER_RADIUS),
            score: 0,
            steering: Steering::default(),
            speed: (0, 0),
        });
        Some(seat)
    }

    /// Somebody goes. The crown stays.
    pub fn leave(&mut self, seat: usize) {
        let Some(player) = self.players.get_mut(seat).and_then(Option::take) else {
            return;
        };
        if matches!(self.crown, Crown::Worn { by, .. } if by == seat) {
            self.crown = Crown::Lies(player.place);
        }
        if self.winner == Some(seat) {
            self.winner = None;
        }
    }

    /// Somebody wants to go there, from the next step on until they want something else.
    pub fn steer(&mut self, seat: usize, steering: Steering) {
        if let Some(player) = self.players.get_mut(seat).and_then(Option::as_mut) {
            player.steering = steering;
        }
    }

    /// A thirtieth of a second passes. Where two could have something, the lower seat has it.
    pub fn step(&mut self) {
        self.step = self.step.wrapping_add(1);
        self.run();
        self.eat();
        self.crown();
        let winner = self.players().find(|(_, player)| player.score >= GOAL);
        if let Some(seat) = winner.map(|(seat, _)| seat) {
            self.winner = Some(seat);
            self.begin_round();
        }
    }

    fn run(&mut self) {
        let wearer = self.wearer();
        for (seat, player) in self.players.iter_mut().enumerate() {
            let Some(player) = player else { continue };
            let most = if wearer == Some(seat) { SPEED_WITH_CROWN } else { SPEED };
            let wanted = player.steering.wanted(most);
            player.speed = (towards(player.speed.0, wanted.0), towards(player.speed.1, wanted.1));
            (player.place.x, player.speed.0) = run_along(player.place.x, player.speed.0, WIDTH);
            (player.place.y, player.speed.1) = run_along(player.place.y, player.speed.1, HEIGHT);
        }
    }

    fn eat(&mut self) {
        for player in self.players.iter_mut().flatten() {
            for dot in &mut self.dots {
                if player.place.is_within(PLAYER_RADIUS + DOT_RADIUS, *dot) {
                    player.score += 1;
                    *dot = somewhere(&mut self.random, DOT_RADIUS);
                }
            }
        }
    }

    fn crown(&mut self) {
        if let Some(taker) = self.taker() {
            self.crown = Crown::Worn { by: taker, steps: 0 };
        } else if let Crown::Worn { by, steps } = &mut self.crown {
            *steps += 1;
            if steps.is_multiple_of(STEPS_PER_SECOND)
                && let Some(player) = &mut self.players[*by]
            {
                player.score += 1;
            }
        }
    }

    /// Who touches the crown, or its wearer.
    fn taker(&self) -> Option<usize> {
        let (place, distance) = match self.crown {
            Crown::Lies(place) => (place, PLAYER_RADIUS + CROWN_RADIUS),
            Crown::Worn { steps, .. } if steps < SAFE_STEPS => return None,
            Crown::Worn { by, .. } => (self.players[by].as_ref()?.place, 2 * PLAYER_RADIUS),
        };
        let wearer = self.wearer();
        self.players()
            .find(|&(seat, player)| Some(seat) != wearer && player.place.is_within(distance, place))
            .map(|(seat, _)| seat)
    }

    fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
        self.crown = Crown::Lies(somewhere(&mut self.random, CROWN_RADIUS));
        for player in self.players.iter_mut().flatten() {
            player.score = 0;
        }
    }

    /// How many steps it has taken, modulo 2^32.
    pub fn steps(&self) -> u32 {
        self.step
    }

    /// Who plays, by seat.
    pub fn players(&self) -> impl Iterator<Item = (usize, &Player)> {
        let seats = self.players.iter().enumerate();
        seats.filter_map(|(seat, player)| Some((seat, player.as_ref()?)))
    }

    /// The dots.
    pub fn dots(&self) -> &[Place] {
        &self.dots
    }

    /// Where the crown is; if somebody wears it, where they are.
    pub fn crown_place(&self) -> Place {
        match self.crown {
            Crown::Lies(place) => place,
            Crown::Worn { by, .. } => self.players[by]
                .as_ref()
                .map_or(Place { x: 0, y: 0 }, |player| player.place),
        }
    }

    /// Whose it is.
    pub fn wearer(&self) -> Option<usize> {
        match self.crown {
            Crown::Worn { by, .. } => Some(by),
            Crown::Lies(_) => None,
        }
    }

    /// The number of this round, from 1 on.
    pub fn round(&self) -> u16 {
        self.round
    }

    /// Who won the round before, if they are still there.
    pub fn winner(&self) -> Option<usize> {
        self.winner
    }
}

fn somewhere(random: &mut Random, radius: i32) -> Place {
    Place {
        x: radius + random.below(WIDTH - 2 * radius),
        y: radius + random.below(HEIGHT - 2 * radius),
    }
}

/// A quarter of the way from one speed to another, and at least a bit of it.
fn towards(speed: i32, wanted: i32) -> i32 {
    let difference = wanted - speed;
    match difference / 4 {
        0 => speed + difference.signum(),
        quarter => speed + quarter,
    }
}

/// Where one is after a step, and how fast: a wall stops.
fn run_along(at: i32, speed: i32, length: i32) -> (i32, i32) {
    let wanted = at + speed;
    let allowed = wanted.clamp(PLAYER_RADIUS, length - PLAYER_RADIUS);
    (allowed, if allowed == wanted { speed } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: Steering = Steering { x: 127, y: 0 };

    /// Players at these places, and everything that could be eaten or worn far away.
    fn world(places: &[(i32, i32)]) -> World {
        let mut world = World::new(1);
        let corner = Place {
            x: WIDTH - 1,
            y: HEIGHT - 1,
        };
        world.dots = [corner; DOTS];
        world.crown = Crown::Lies(corner);
        for &(x, y) in places {
            let seat = world.enter().unwrap();
            world.players[seat].as_mut().unwrap().place = Place { x: x * 16, y: y * 16 };
        }
        world
    }

    fn player(world: &World, seat: usize) -> &Player {
        world.players[seat].as_ref().unwrap()
    }

    fn steps(world: &mut World, number: u32) {
        for _ in 0..number {
            world.step();
        }
    }

    #[test]
    fn a_player_gains_speed_and_stops_at_the_wall() {
        let mut world = world(&[(100, 100)]);
        world.steer(0, RIGHT);
        world.step();
        assert_eq!(
            player(&world, 0).place,
            Place {
                x: 1_600 + SPEED / 4,
                y: 1_600
            }
        );
        steps(&mut world, 40);
        assert_eq!(player(&world, 0).speed, (SPEED, 0));
        steps(&mut world, 200);
        assert_eq!(player(&world, 0).place.x, WIDTH - PLAYER_RADIUS);
        assert_eq!(player(&world, 0).speed, (0, 0));
    }

    #[test]
    fn who_lets_go_comes_to_rest() {
        let mut world = world(&[(100, 100)]);
        world.steer(0, Steering { x: 127, y: 127 });
        steps(&mut world, 20);
        world.steer(0, Steering::default());
        steps(&mut world, 40);
        let place = player(&world, 0).place;
        world.step();
        assert_eq!(player(&world, 0).place, place);
    }

    #[test]
    fn nobody_is_faster_diagonally_or_beyond_full_steering() {
        for (x, y) in [(127, 127), (-128, -128), (127, 0), (90, 90)] {
            let (x, y) = Steering { x, y }.wanted(SPEED);
            assert!(x * x + y * y <= SPEED * SPEED, "{x}, {y}");
        }
        assert_eq!(Steering { x: 64, y: 0 }.wanted(SPEED), (SPEED * 64 / 127, 0));
    }

    #[test]
    fn a_dot_is_a_point_and_comes_back_elsewhere() {
        let mut world = world(&[(100, 100)]);
        let dot = Place {
            x: 1_600 + PLAYER_RADIUS + DOT_RADIUS,
            y: 1_600,
        };
        world.dots[3] = Place { x: dot.x + 1, y: dot.y };
        world.step();
        assert_eq!(player(&world, 0).score, 0, "one sixteenth of a pixel too far");
        world.dots[3] = dot;
        world.step();
        assert_eq!(player(&world, 0).score, 1);
        assert_ne!(world.dots[3], dot);
    }

    #[test]
    fn the_crown_is_a_point_for_each_second() {
        let mut world = world(&[(100, 100)]);
        world.crown = Crown::Lies(Place { x: 1_600, y: 1_700 });
        world.step();
        assert_eq!(world.wearer(), Some(0));
        steps(&mut world, STEPS_PER_SECOND - 1);
        assert_eq!(player(&world, 0).score, 0);
        steps(&mut world, 1);
        assert_eq!(player(&world, 0).score, 1);
        steps(&mut world, 2 * STEPS_PER_SECOND);
        assert_eq!(player(&world, 0).score, 3);
    }

    #[test]
    fn the_crown_is_taken_by_touch_but_not_from_one_who_has_just_taken_it() {
        let mut world = world(&[(100, 100), (130, 100)]);
        world.crown = Crown::Worn {
            by: 1,
            steps: SAFE_STEPS,
        };
        world.step();
        assert_eq!(world.wearer(), Some(0));
        steps(&mut world, SAFE_STEPS);
        assert_eq!(world.wearer(), Some(0), "safe for a second");
        world.step();
        assert_eq!(world.wearer(), Some(1));
    }

    #[test]
    fn the_wearer_is_slower() {
        let mut world = world(&[(100, 100), (100, 500)]);
        world.crown = Crown::Worn { by: 0, steps: 0 };
        world.steer(0, RIGHT);
        world.steer(1, RIGHT);
        steps(&mut world, 60);
        assert!(player(&world, 0).place.x < player(&world, 1).place.x);
    }

    #[test]
    fn who_leaves_drops_the_crown_where_they_were() {
        let mut world = world(&[(100, 100)]);
        world.crown = Crown::Worn { by: 0, steps: 5 };
        world.leave(0);
        assert_eq!(world.crown, Crown::Lies(Place { x: 1_600, y: 1_600 }));
        steps(&mut world, 3);
        assert_eq!(world.players().count(), 0);
    }

    #[test]
    fn the_goal_ends_the_round_and_all_begin_anew() {
        let mut world = world(&[(100, 100), (500, 500)]);
        world.players[0].as_mut().unwrap().score = GOAL - 1;
        world.players[1].as_mut().unwrap().score = 20;
        world.dots[0] = Place { x: 1_600, y: 1_600 };
        world.step();
        assert_eq!((world.round(), world.winner(), world.wearer()), (2, Some(0), None));
        assert_eq!((player(&world, 0).score, player(&world, 1).score), (0, 0));
        world.leave(0);
        assert_eq!(world.winner(), None, "another may take the seat");
    }

    #[test]
    fn seats_are_given_until_there_are_no_more_and_again_when_one_is_left() {
        let mut world = World::new(1);
        let seats: Vec<_> = (0..SEATS).filter_map(|_| world.enter()).collect();
        assert_eq!(seats, (0..SEATS).collect::<Vec<_>>());
        assert_eq!(world.enter(), None);
        world.leave(7);
        world.leave(7);
        world.leave(SEATS);
        world.steer(SEATS, RIGHT);
        assert_eq!(world.enter(), Some(7));
    }

    #[test]
    fn the_same_seed_and_steering_give_the_same_world_and_everybody_stays_on_the_field() {
        let play = |seed| {
            let (mut world, mut hands) = (World::new(seed), Random::new(99));
            for step in 0..10_000 {
                if step % 100 == 0 {
                    world.enter();
                }
                if step % 700 == 0 {
                    world.leave(usize::try_from(hands.below(16)).unwrap());
                }
                for seat in 0..SEATS {
                    if hands.below(40) == 0 {
                        let [x, y] = [0, 0].map(|_: i32| i8::try_from(hands.below(256) - 128).unwrap());
                        world.steer(seat, Steering { x, y });
                    }
                }
                world.step();
                for (_, Player { place, .. }) in world.players() {
                    assert!((PLAYER_RADIUS..=WIDTH - PLAYER_RADIUS).contains(&place.x));
                    assert!((PLAYER_RADIUS..=HEIGHT - PLAYER_RADIUS).contains(&place.y));
                }
            }
            world
        };
        let world = play(5);
        assert_eq!(world, play(5));
        assert_ne!(world, play(6));
        assert!(world.round() > 1, "somebody wins now and then");
    }
}

//! What consumers ask for, how operators word their orders, and what a configuration may come to name:
//! everything that somebody may want of the pool, by chance.

use std::time::Duration;

use acctpool_actors::pool::{
    AccountType, ByOperator, IdempotencyKey, Operator, Policy, RenewReservation,
    RequestReservation, ReservationId, TokenId,
};

use crate::dice::Dice;

/// The types of account that there are.
pub const TYPES: [&str; 2] = ["free", "lite"];

/// The most accounts that anybody asks for at once.
pub const MOST_AT_ONCE: usize = 5;

/// How many consumers there are.
const CONSUMERS: u64 = 8;

/// Returns the name of a consumer.
#[must_use]
pub fn consumer(number: u64) -> TokenId {
    TokenId::from(format!("consumer-{number}"))
}

/// Returns what somebody asks for: mostly one account for a while, now and then several, a lease that
/// has to be kept alive, a request that may be repeated. A few ask for longer than they may.
pub fn any_request(dice: &mut Dice, id: ReservationId, policy: &Policy) -> RequestReservation {
    let token = consumer(dice.below(CONSUMERS));
    let account_type = AccountType::from(TYPES[dice.place(TYPES.len())]);
    let longest = policy.longest_lease(&account_type);
    let duration = dice.chance(700);
    let duration = duration.then(|| dice.between(Duration::ZERO, longest * 9 / 8));
    let count = if dice.chance(120) {
        2 + dice.place(MOST_AT_ONCE - 1)
    } else {
        1
    };
    let ttl = dice.chance(250);
    let ttl = ttl.then(|| dice.between(Duration::from_mins(5), longest / 2));
    let key = dice.chance(300);
    let key = key.then(|| IdempotencyKey::from(format!("key of {id}")));
    RequestReservation {
        count,
        duration,
        ttl,
        key,
        ..RequestReservation::new(id, token, account_type)
    }
}

/// Returns a request with the key of another one, and with another wish.
#[must_use]
pub fn mistaken(request: RequestReservation) -> RequestReservation {
    let purpose = match request.purpose {
        None => Some("another one".into()),
        Some(_) => None,
    };
    RequestReservation { purpose, ..request }
}

/// Returns how somebody renews a lease: mostly to keep it alive, now and then for longer, which may be
/// less than is left or more than is allowed.
pub fn any_renewal(
    dice: &mut Dice,
    id: ReservationId,
    request: &RequestReservation,
    policy: &Policy,
) -> RenewReservation {
    let longest = policy.longest_lease(&request.account_type);
    let longer = request.ttl.is_none() || dice.chance(200);
    RenewReservation {
        id,
        token: request.token.clone(),
        duration: longer.then(|| dice.between(Duration::ZERO, longest * 2)),
    }
}

/// Tells whether a request is one that the policy ever allows, where there are so many accounts of
/// its type.
#[must_use]
pub fn is_allowed(request: &RequestReservation, policy: &Policy, accounts: usize) -> bool {
    let limits = policy.tokens.get(&request.token);
    let of_type = &request.account_type;
    let types = limits.and_then(|limits| limits.types.as_ref());
    let own = limits.and_then(|limits| limits.max_duration);
    let longest = policy
        .types
        .get(of_type)
        .map(|of_type| of_type.max_duration);
    let at_once = limits.and_then(|limits| limits.max_reservations);
    types.is_none_or(|types| types.contains(of_type))
        && longest.is_some()
        && request.duration.is_none_or(|asked| {
            !asked.is_zero() && [longest, own].into_iter().flatten().all(|max| asked <= max)
        })
        && request.count <= accounts
        && at_once.is_none_or(|at_once| request.count <= at_once)
}

/// Returns an order as operators give it: with a name and a reason.
pub fn ordered<C>(command: C) -> ByOperator<C> {
    ByOperator {
        operator: Operator {
            token: "operator".into(),
            reason: "by chance".to_owned(),
            from: None,
        },
        command,
    }
}

//! Who asks, as far as that decides what may be asked.

use std::num::NonZeroU32;

use acctpool_actors::pool::TokenId;

/// Whom a token belongs to, and what it may do here. What it may reserve, the pool knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The token by name.
    pub token: TokenId,
    /// What it is for.
    pub role: Role,
    /// How many requests it may make in a minute; `None` for any number.
    pub requests_per_minute: Option<NonZeroU32>,
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reserves accounts, and sees what is its own.
    Consumer,
    /// Looks after the pool, sees everything, and reserves as well.
    Operator,
    /// Sees what an operator sees, and changes nothing.
    Viewer,
}

/// What somebody wants to do, as far as that depends on the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// To have reservations of one's own, and to change them.
    Reserve,
    /// To see every account, every reservation and the audit.
    SeeEverything,
    /// To change what belongs to nobody, or to somebody else.
    Intervene,
}

impl Role {
    pub(crate) fn has(self, right: Right) -> bool {
        right.roles().contains(&self)
    }
}

impl Right {
    fn roles(self) -> &'static [Role] {
        match self {
            Self::Reserve => &[Role::Consumer, Role::Operator],
            Self::SeeEverything => &[Role::Operator, Role::Viewer],
            Self::Intervene => &[Role::Operator],
        }
    }

    /// Returns the roles that have it, in words.
    pub(crate) fn role_names(self) -> &'static str {
        match self {
            Self::Reserve => "consumer or operator",
            Self::SeeEverything => "operator or viewer",
            Self::Intervene => "operator",
        }
    }
}

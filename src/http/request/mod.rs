//! What a request says: whose it is, and what its query, headers and body ask for.
//!
//! - `caller`, `identity`, `rates`: who asks, what they may do and how often.
//! - `parameters`, `body`: the query and the JSON body, taken literally; `values`: what they may say.
//! - `paging`: the parameters and the link of lists that are read page by page.
//! - `prefer`: how long the client would wait for news.

pub(super) mod body;
pub(super) mod caller;
pub(super) mod identity;
pub(super) mod paging;
pub(super) mod parameters;
pub(super) mod prefer;
pub(super) mod rates;
pub(super) mod values;

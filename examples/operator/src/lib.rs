//! The operator's door of a lobby server: HTTP and JSON on an address of its own, behind a token.
//!
//! The door ([`Door`]) listens on a thread of its own, so that it makes no difference to it what the server runs on. What
//! it is asked for it checks as far as it can without the server, and queues it ([`Orders`]); the server takes each
//! [`Order`] when it gets round to it and has it carried out on its chat. See the README beside this package.

#![forbid(unsafe_code)]

mod door;
mod flags;
mod order;
mod token;
mod visitors;

pub use door::Door;
pub use flags::DoorFlags;
pub use order::{Order, Orders};
pub use token::{Token, TokenError};
pub use visitors::receive;

//! How others fan a message out. Each does what its users do, and hands each recipient to the same sink. All of them
//! bear 100,000 members.

pub(crate) mod channel;
pub(crate) mod local_adapter;
pub(crate) mod usual_manager;

//! Guides, for reading: how to [write a driver](write_your_own_driver) and how to
//! [come from the usual `ConnectionManager`](from_the_usual_connection_manager).

#[doc = include_str!("write_your_own_driver.md")]
pub mod write_your_own_driver {}

#[doc = include_str!("from_the_usual_connection_manager.md")]
pub mod from_the_usual_connection_manager {}

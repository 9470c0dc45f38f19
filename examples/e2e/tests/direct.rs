//! A direct message goes to one user, wherever they are.

#[macro_use]
mod common;

use common::{Kind, Server, settings};
use serde_json::json;

on_each_server! {
    a_direct_message_reaches_every_connection_of_the_user_in_any_lobby_and_nobody_else,
    a_direct_message_to_somebody_who_is_not_connected_gets_an_error,
}

async fn a_direct_message_reaches_every_connection_of_the_user_in_any_lobby_and_nobody_else(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let mut phone = server.enter("den", "bob").await;
    let mut desk = server.enter("attic", "bob").await;
    let mut cid = server.enter("den", "cid").await;
    ann.say(json!({"type": "direct", "to": "bob", "text": "psst"})).await;
    let expected = json!({"type": "direct", "from": "ann", "to": "bob", "text": "psst"});
    assert_eq!(phone.next("direct").await, expected);
    assert_eq!(desk.next("direct").await, expected);
    assert!(!ann.has_heard("ann", "direct").await);
    assert!(!cid.has_heard("cid", "direct").await);
}

async fn a_direct_message_to_somebody_who_is_not_connected_gets_an_error(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    ann.say(json!({"type": "direct", "to": "bob", "text": "psst"})).await;
    assert_eq!(
        ann.next("error").await,
        json!({"type": "error", "code": "not_here", "message": "bob is not here"})
    );
}

//! A direct message goes to one user, wherever they are.

mod common;

use common::{Server, settings};
use serde_json::json;

#[tokio::test]
async fn a_direct_message_reaches_every_connection_of_the_user_in_any_lobby_and_nobody_else() {
    let server = Server::start(settings()).await;
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

#[tokio::test]
async fn a_direct_message_to_somebody_who_is_not_connected_gets_an_error() {
    let server = Server::start(settings()).await;
    let mut ann = server.enter("den", "ann").await;
    ann.say(json!({"type": "direct", "to": "bob", "text": "psst"})).await;
    assert_eq!(
        ann.next("error").await,
        json!({"type": "error", "code": "not_here", "message": "bob is not here"})
    );
}

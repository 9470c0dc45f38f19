//! A chat goes to everyone in the lobby but the sender's own user.

#[macro_use]
mod common;

use common::{Kind, Server, settings};
use serde_json::json;

on_each_server! {
    a_chat_reaches_the_others_in_the_lobby,
    a_chat_stays_in_its_lobby,
    a_chat_reaches_no_connection_of_the_user_who_sent_it,
    messages_of_one_sender_arrive_in_order,
}

async fn a_chat_reaches_the_others_in_the_lobby(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    let mut cid = server.enter("den", "cid").await;
    ann.chat("hello").await;
    let expected = json!({"type": "chat", "from": "ann", "text": "hello"});
    assert_eq!(bob.next("chat").await, expected);
    assert_eq!(cid.next("chat").await, expected);
}

async fn a_chat_stays_in_its_lobby(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let mut eve = server.enter("attic", "eve").await;
    ann.chat("hello").await;
    ann.so_far("ann").await;
    assert!(!eve.has_heard("eve", "chat").await);
}

async fn a_chat_reaches_no_connection_of_the_user_who_sent_it(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut phone = server.enter("den", "ann").await;
    let mut desk = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    phone.chat("from the phone").await;
    assert_eq!(bob.next("chat").await["text"], "from the phone");
    desk.chat("from the desk").await;
    assert_eq!(bob.next("chat").await["text"], "from the desk");
    assert!(!phone.has_heard("ann", "chat").await);
    assert!(!desk.has_heard("ann", "chat").await);
}

async fn messages_of_one_sender_arrive_in_order(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    for number in 0..100 {
        ann.chat(&number.to_string()).await;
    }
    for number in 0..100 {
        assert_eq!(bob.next("chat").await["text"], number.to_string());
    }
}

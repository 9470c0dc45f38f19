//! The page at `/`.

#[macro_use]
mod common;

use common::{Kind, Server, settings};

on_each_server! {
    the_page_is_html_and_needs_nothing_from_elsewhere,
    its_client_is_served_beside_it,
}

async fn the_page_is_html_and_needs_nothing_from_elsewhere(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let answer = server.get("/").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(body.starts_with("<!doctype html>"));
    assert!(!body.contains("http://") && !body.contains("https://") && !body.contains("src="));
    assert!(!body.contains("innerHTML"), "text is put in as text");
}

async fn its_client_is_served_beside_it(kind: Kind) {
    let server = Server::start(kind, settings()).await;
    let page = server.get("/").await;
    assert!(page.contains("from \"/client.js\""), "{page}");
    let answer = server.get("/client.js").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/javascript; charset=utf-8"), "{head}");
    assert_eq!(body, lobby_chat::CLIENT);
}

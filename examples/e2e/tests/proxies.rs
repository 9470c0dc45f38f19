//! Behind a proxy a client is where that says, and nobody else is believed.

#[macro_use]
mod common;

use common::{Client, Kind, Server, guard, settings};
use lobby_chat::{Forwarded, Proxies, Settings};
use lobbykeeper::Config;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

on_each_server! {
    clients_of_a_proxy_are_told_apart,
    one_who_is_no_proxy_is_not_believed,
}

/// One connection for each address.
fn with(proxies: Proxies) -> Settings {
    Settings {
        config: Config {
            max_connections_per_source: Some(1),
            ..settings().config
        },
        proxies,
        ..settings()
    }
}

async fn knock(server: &Server, user: &str, forwarded_for: &str) -> Client {
    let url = format!("ws://{}/ws/den?token={user}", server.address);
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("x-forwarded-for", forwarded_for.parse().unwrap());
    let (socket, _) = guard(connect_async(request)).await.unwrap();
    Client { socket }
}

async fn clients_of_a_proxy_are_told_apart(kind: Kind) {
    let trusted = vec!["127.0.0.1".parse().unwrap()];
    let server = Server::start(kind, with(Proxies::new(Forwarded::XForwardedFor, trusted))).await;
    let mut ann = knock(&server, "ann", "198.51.100.1, 203.0.113.1").await;
    ann.next("welcome").await;
    let mut bob = knock(&server, "bob", "198.51.100.1, 203.0.113.2").await;
    bob.next("welcome").await;
    // What a client writes itself stands before what the proxy adds.
    let mut ann = knock(&server, "ann", "198.51.100.2, 203.0.113.1").await;
    assert_eq!(ann.close_frame().await, (4007, "source_limit;retry=5000".into()));
}

async fn one_who_is_no_proxy_is_not_believed(kind: Kind) {
    let elsewhere = vec!["192.0.2.1".parse().unwrap()];
    for proxies in [Proxies::none(), Proxies::new(Forwarded::XForwardedFor, elsewhere)] {
        let server = Server::start(kind, with(proxies)).await;
        let mut ann = knock(&server, "ann", "203.0.113.1").await;
        ann.next("welcome").await;
        let mut bob = knock(&server, "bob", "203.0.113.2").await;
        assert_eq!(bob.close_frame().await, (4007, "source_limit;retry=5000".into()));
    }
}

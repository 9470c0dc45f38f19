//! Accepts connections and speaks HTTP with them until they upgrade.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::warn;

/// How long no connection is accepted after one could not be: there are no descriptors left, most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Accepts until `shutdown`. A client that takes longer than `handshake_timeout` to send a request is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    handshake_timeout: Duration,
    shutdown: impl Future<Output = ()> + Clone + Send + 'static,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(handshake_timeout);
    loop {
        let accepted = tokio::select! {
            () = shutdown.clone() => break,
            accepted = accept(&listener) => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let router = TowerToHyperService::new(router.clone());
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(Peer(peer.ip()));
                    router.call(request)
                });
                let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
                let shutdown = shutdown.clone();
                tokio::spawn(async move {
                    let mut connection = pin!(connection);
                    // Whatever ends it, nobody is waiting to hear of it.
                    tokio::select! {
                        _ = &mut connection => {}
                        () = shutdown => {
                            connection.as_mut().graceful_shutdown();
                            let _ = connection.await;
                        }
                    }
                });
            }
            Err(error) => {
                warn!(%error, "accepting");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    // Without it a message waits in the system until the one before has been acknowledged, up to 40 ms.
    stream.set_nodelay(true)?;
    Ok((stream, peer))
}

//! Accepts connections and speaks HTTP with them until they upgrade.

use std::io::{self, ErrorKind, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::warn;

/// How long no connection is accepted after one could not be: there are no descriptors left, most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// What a request comes over.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) peer: IpAddr,
    stream: Arc<TcpStream>,
}

impl Line {
    /// Waits until nothing more goes over it in either direction: the peer has reset it, or was told something after it
    /// had gone. Whoever does not read from it would not see that otherwise.
    pub(crate) async fn broken(&self) {
        // That this cannot be waited for means that the runtime is going.
        let _ = self.stream.ready(Interest::ERROR).await;
    }

    /// Writes as soon as the system takes something.
    fn poll_writing(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match write(&self.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read_buf(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_writing(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_writing(cx, |stream| stream.try_write_vectored(buffers))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A stream that is shared cannot; it is closed when its last owner has gone, which is soon.
        Poll::Ready(Ok(()))
    }
}

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
                let line = Line {
                    peer: peer.ip(),
                    stream: Arc::new(stream),
                };
                let lent = line.clone();
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(lent.clone());
                    router.call(request)
                });
                let connection = http.serve_connection(TokioIo::new(line), service).with_upgrades();
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

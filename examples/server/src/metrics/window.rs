//! An address where those may look who have the token.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::Stream;
use futures_util::stream::{self, StreamExt};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lobby_operator::{Token, receive};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_io_timeout::TimeoutStream;
use tracing::{info, warn};

use super::report::Asker;
use super::{exposition, sample};

/// How many look at a time, and how many of them watch the dashboard: the others have a place left.
const MAX_VISITORS: usize = 32;
const MAX_VIEWERS: usize = 16;
/// How long a request may take to come, and how long a visitor may take to read what waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// What waits for a visitor, in the system and in front of it, so that one who no longer reads is soon noticed.
const SEND_BUFFER: u32 = 32 * 1_024;
const WRITE_BUFFER: usize = 16 * 1_024;
/// How often the dashboard is told, and how long a browser waits before it comes back.
const SECOND: Duration = Duration::from_secs(1);

/// The dashboard needs nothing from elsewhere, and names come from strangers.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// An address where the server can be watched, by those who have the token.
#[derive(Debug)]
pub struct Window {
    listener: TcpListener,
    address: SocketAddr,
    token: Token,
}

#[derive(Clone)]
struct Desk {
    token: Token,
    hub: Asker,
    /// The newest sample, as JSON.
    samples: watch::Receiver<Arc<str>>,
    viewers: Arc<Semaphore>,
}

impl Window {
    /// A window at this address, for those who have the token; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address cannot be had.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn bind(address: SocketAddr, token: Token) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        // Those that are accepted inherit it.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        let listener = socket.listen(64)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            token,
        })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens it until the hub is gone.
    pub(crate) fn open(self, hub: Asker) {
        let Self {
            listener,
            address,
            token,
        } = self;
        let (sender, samples) = watch::channel("".into());
        let viewers = Arc::new(Semaphore::new(MAX_VIEWERS));
        tokio::spawn(take_samples(hub.clone(), sender, Arc::clone(&viewers)));
        let router = router(Desk {
            token,
            hub: hub.clone(),
            samples,
            viewers,
        });
        tokio::spawn(async move {
            tokio::select! {
                () = hub.closed() => {}
                () = serve(&listener, &router, PATIENCE) => {}
            }
        });
        info!(%address, "/metrics and /dashboard may be looked at");
    }
}

/// Asks the hub once a second, however many watch, and not at all while nobody does.
async fn take_samples(hub: Asker, samples: watch::Sender<Arc<str>>, viewers: Arc<Semaphore>) {
    let mut seconds = interval(SECOND);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // This ends the viewers' streams, too.
            () = hub.closed() => return,
            _ = seconds.tick() => {}
        }
        if viewers.available_permits() < MAX_VIEWERS
            && let Some((report, clients)) = hub.clients().await
        {
            samples.send_replace(sample::json(&report, &clients).into());
        }
    }
}

async fn serve(listener: &TcpListener, router: &Router, patience: Duration) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(WRITE_BUFFER)
        .keep_alive(false);
    let visit = |stream| {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(patience));
        let service = TowerToHyperService::new(router.clone());
        let visit = http.serve_connection(TokioIo::new(Box::pin(stream)), service);
        // However it ends, nobody is waiting to hear of it.
        async { drop(visit.await) }
    };
    receive(listener, MAX_VISITORS, "somebody who wants to look", visit).await;
}

fn router(desk: Desk) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route(
            "/dashboard",
            get(async || asset("text/html", include_str!("dashboard/page.html"))),
        )
        .route(
            "/dashboard/page.js",
            get(async || asset("text/javascript", include_str!("dashboard/page.js"))),
        )
        .route(
            "/dashboard/page.css",
            get(async || asset("text/css", include_str!("dashboard/page.css"))),
        )
        .route("/dashboard/stream", get(watch_along))
        // The outermost: whoever has no token learns nothing, not even what there is.
        .fallback(async || (StatusCode::NOT_FOUND, "GET /metrics or GET /dashboard\n"))
        .layer(middleware::from_fn_with_state(desk.clone(), check))
        .with_state(desk)
}

/// Lets those in who have the token, as the password of whatever name: a browser asks for both by itself, and
/// Prometheus knows them as `basic_auth`.
async fn check(State(Desk { token, .. }): State<Desk>, request: Request, next: Next) -> Response {
    let offered = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    match offered {
        Some(header) if password(header).is_some_and(|offered| token.is(&offered)) => return next.run(request).await,
        Some(_) => warn!("somebody with a wrong token wants to look at the metrics"),
        // A browser asks without first.
        None => {}
    }
    let challenge = "Basic realm=\"lobby metrics: any name, and the token as the password\", charset=\"UTF-8\"";
    let why = "any name, and the token as the password\n";
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)], why).into_response()
}

/// The password in a header (RFC 7617).
fn password(header: &[u8]) -> Option<Vec<u8>> {
    let (scheme, credentials) = header.split_at_checked("Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let credentials = BASE64_STANDARD.decode(credentials.trim_ascii()).ok()?;
    let colon = credentials.iter().position(|&byte| byte == b':')?;
    Some(credentials[colon + 1..].to_vec())
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, format!("{kind}; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, text)
}

async fn metrics(State(desk): State<Desk>) -> Response {
    let Some(report) = desk.hub.numbers().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match exposition::text(report) {
        Ok(text) => ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// One who watches. Nothing is queued for them: when they have taken one sample, the next is the newest.
struct Viewer {
    samples: watch::Receiver<Arc<str>>,
    _place: OwnedSemaphorePermit,
}

async fn watch_along(State(desk): State<Desk>) -> Response {
    let Ok(place) = desk.viewers.try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "enough are watching\n").into_response();
    };
    let mut samples = desk.samples;
    // That one may be old: nobody may have been watching.
    samples.mark_unchanged();
    let first = stream::iter([sse::Event::default().retry(SECOND)]);
    let viewer = Viewer { samples, _place: place };
    Sse::new(first.chain(events(viewer)).map(Ok::<_, io::Error>)).into_response()
}

/// Ends when the hub is gone; the browser then comes back until another one is there.
fn events(viewer: Viewer) -> impl Stream<Item = sse::Event> {
    stream::unfold(viewer, async |mut viewer| {
        viewer.samples.changed().await.ok()?;
        let sample = Arc::clone(&viewer.samples.borrow_and_update());
        Some((sse::Event::default().data(&*sample), viewer))
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::metrics::report;

    #[test]
    fn the_password_is_what_stands_behind_the_first_colon() {
        let offered = |credentials: &str| password(format!("basic {}", BASE64_STANDARD.encode(credentials)).as_bytes());
        assert_eq!(offered("ann:se:cret"), Some(b"se:cret".to_vec()));
        assert_eq!(offered(":secret"), Some(b"secret".to_vec()));
        assert_eq!(offered("secret"), None);
        assert_eq!(password(b"Bearer c2VjcmV0"), None);
        assert_eq!(password(b"Basic ?"), None);
        assert_eq!(password(b"Ba"), None);
    }

    #[tokio::test]
    async fn a_viewer_who_does_not_read_loses_their_place() {
        let token: Token = "operators-open-sesame".parse().unwrap();
        let window = Window::bind("127.0.0.1:0".parse().unwrap(), token.clone()).unwrap();
        let (hub, _observer) = report::observer();
        let (newest, samples) = watch::channel("".into());
        let viewers = Arc::new(Semaphore::new(MAX_VIEWERS));
        let router = router(Desk {
            token,
            hub,
            samples,
            viewers: Arc::clone(&viewers),
        });
        let mut deaf = TcpStream::connect(window.address).await.unwrap();
        let credentials = BASE64_STANDARD.encode(":operators-open-sesame");
        let request =
            format!("GET /dashboard/stream HTTP/1.1\r\nhost: test\r\nauthorization: Basic {credentials}\r\n\r\n");
        deaf.write_all(request.as_bytes()).await.unwrap();
        let until = async |free| {
            while viewers.available_permits() != free {
                newest.send_replace("x".repeat(100_000).into());
                sleep(Duration::from_millis(1)).await;
            }
        };
        let outcome = async {
            until(MAX_VIEWERS - 1).await;
            until(MAX_VIEWERS).await;
        };
        tokio::select! {
            () = serve(&window.listener, &router, Duration::from_millis(100)) => unreachable!("it serves for ever"),
            outcome = timeout(Duration::from_secs(60), outcome) => outcome.expect("the place is never free again"),
        }
    }
}

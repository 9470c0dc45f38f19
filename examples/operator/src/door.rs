//! Who comes in, and how their orders get to the server.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::order::{Answer, Wish, problem};
use crate::{Order, Orders, Token, receive};

/// How many come in at a time, and how long each may take.
const MAX_VISITORS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(5);
/// An order is a few words.
const MAX_BODY: usize = 16 * 1_024;

/// An address where operators give orders.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    token: Token,
}

#[derive(Clone)]
struct Doorkeeper {
    token: Token,
    orders: mpsc::Sender<Order>,
    /// Tells the server that there is an order.
    ring: Arc<dyn Fn() + Send + Sync>,
}

impl Door {
    /// A door on this address, for those who have the token; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub fn bind(address: SocketAddr, token: Token) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
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

    /// Opens it, on a thread of its own, until the orders are dropped. `ring` is called after each order that was
    /// queued, for a server that has to be woken.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn open(self, ring: impl Fn() + Send + Sync + 'static) -> io::Result<Orders> {
        let Self {
            listener,
            address,
            token,
        } = self;
        let (sender, queue) = mpsc::channel(MAX_VISITORS);
        let doorkeeper = Doorkeeper {
            token,
            orders: sender,
            ring: Arc::new(ring),
        };
        let work = move || match keep_open(listener, doorkeeper) {
            Ok(()) => info!("the operators' door is closed"),
            Err(error) => error!(%error, "the operators' door does not open"),
        };
        thread::Builder::new().name("operator".into()).spawn(work)?;
        info!(%address, "operators may come in");
        Ok(Orders { queue })
    }
}

fn keep_open(listener: TcpListener, doorkeeper: Doorkeeper) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (orders, router) = (doorkeeper.orders.clone(), router(doorkeeper));
        tokio::select! {
            () = orders.closed() => {}
            () = serve(&listener, &router) => {}
        }
        Ok(())
    })
}

async fn serve(listener: &tokio::net::TcpListener, router: &Router) {
    let visit = |stream| {
        let service = TowerToHyperService::new(router.clone());
        let visit = http1::Builder::new()
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        // However it ends, nobody is waiting to hear of it.
        async { drop(timeout(PATIENCE, visit).await) }
    };
    receive(listener, MAX_VISITORS, "an operator", visit).await;
}

fn router(doorkeeper: Doorkeeper) -> Router {
    Router::new()
        .route("/requests", post(requests))
        .route("/lobbies", get(lobbies))
        .route("/drain", post(drain))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        // The outermost: whoever has no token learns nothing, not even what there is.
        .fallback(async || {
            respond(problem(
                StatusCode::NOT_FOUND,
                "POST /requests, POST /drain or GET /lobbies",
            ))
        })
        .layer(middleware::from_fn_with_state(doorkeeper.clone(), check))
        .with_state(doorkeeper)
}

/// Lets those in who have the token.
async fn check(State(Doorkeeper { token, .. }): State<Doorkeeper>, request: Request, next: Next) -> Response {
    let offered = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let offered = offered.and_then(|header| header.strip_prefix(b"Bearer "));
    if offered.is_some_and(|offered| token.is(offered)) {
        return next.run(request).await;
    }
    warn!("somebody without the token is at the operators' door");
    let mut response = respond(problem(StatusCode::UNAUTHORIZED, "Authorization: Bearer TOKEN"));
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

async fn requests(State(doorkeeper): State<Doorkeeper>, body: Bytes) -> Response {
    respond(doorkeeper.pass(Wish::Request(body)).await)
}

async fn drain(State(doorkeeper): State<Doorkeeper>) -> Response {
    respond(doorkeeper.pass(Wish::Drain).await)
}

async fn lobbies(State(doorkeeper): State<Doorkeeper>) -> Response {
    respond(doorkeeper.pass(Wish::Lobbies).await)
}

impl Doorkeeper {
    /// Hands the server a wish and waits for its answer.
    async fn pass(&self, wish: Wish) -> Answer {
        let (answer, answered) = oneshot::channel();
        let answered = match self.orders.send(Order { wish, answer }).await {
            Ok(()) => {
                (self.ring)();
                answered.await.ok()
            }
            Err(_) => None,
        };
        answered.unwrap_or_else(|| problem(StatusCode::SERVICE_UNAVAILABLE, "the server has stopped"))
    }
}

fn respond((status, json): Answer) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], json).into_response()
}

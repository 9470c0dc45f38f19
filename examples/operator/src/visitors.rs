//! Who comes to an address of its own: never more than a few at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::warn;

/// How long nobody is accepted after one could not be: there are no descriptors left, most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts whoever comes, `most` at a time, for ever. A `visit` has its seat until its future is done; it is for the visit
/// to end in time.
pub async fn receive<V>(listener: &TcpListener, most: usize, whom: &str, visit: impl Fn(TcpStream) -> V)
where
    V: Future<Output = ()> + Send + 'static,
{
    let seats = Arc::new(Semaphore::new(most));
    loop {
        let seat = Arc::clone(&seats).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let visit = visit(stream);
                tokio::spawn(async move {
                    visit.await;
                    drop(seat);
                });
            }
            Err(error) => {
                warn!(%error, "accepting {whom}");
                sleep(PAUSE).await;
            }
        }
    }
}

//! The permit of a connection among those that a server has at once. All that lives on it, an upgraded connection included, keeps it.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The permits of a server.
pub struct ConnectionPermits {
    room: Arc<Semaphore>,
    cut: watch::Sender<bool>,
}

/// One of them.
#[derive(Debug)]
pub struct ConnectionPermit {
    _permit: OwnedSemaphorePermit,
    cut: watch::Receiver<bool>,
}

impl ConnectionPermits {
    /// Makes a number of permits, at least one.
    pub fn new(number: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(number.clamp(1, Semaphore::MAX_PERMITS))), cut: watch::Sender::new(false) }
    }

    /// Waits for a permit.
    pub async fn take(&self) -> Option<Arc<ConnectionPermit>> {
        let permit = Arc::clone(&self.room).acquire_owned().await.ok()?;
        Some(Arc::new(ConnectionPermit { _permit: permit, cut: self.cut.subscribe() }))
    }

    /// Waits until no permit is taken.
    pub async fn all_free(&self) {
        self.cut.closed().await;
    }

    /// Ends what is left on all permits.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }
}

impl ConnectionPermit {
    /// Waits until the server has no more time.
    pub async fn is_cut(&self) {
        // Without its server a connection has ended, too.
        let _ = self.cut.clone().wait_for(|cut| *cut).await;
    }
}

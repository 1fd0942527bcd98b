//! WebSocket echo on tokio-tungstenite, one thread of tokio.

use futures_util::{SinkExt, StreamExt};
use fyke_rivals::{accept_with_tokio, tokio_on_one_thread};

fn main() {
    tokio_on_one_thread(accept_with_tokio(|stream| {
        tokio::task::spawn_local(async move {
            let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
            while let Some(Ok(message)) = socket.next().await {
                let is_data = message.is_binary() || message.is_text();
                if message.is_close() || (is_data && socket.send(message).await.is_err()) {
                    break;
                }
            }
        });
    }));
}

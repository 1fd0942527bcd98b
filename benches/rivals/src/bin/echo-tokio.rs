//! Echo on tokio, one thread.

use fyke_rivals::{accept_with_tokio, tokio_on_one_thread};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() {
    tokio_on_one_thread(accept_with_tokio(|mut stream| {
        tokio::task::spawn_local(async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..n]).await.is_err() {
                    break;
                }
            }
        });
    }));
}

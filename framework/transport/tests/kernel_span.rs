//! A connection that we make: its span learns our address when it stands.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

use std::fmt::Debug;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};

use fyke_core::event_loop::ChannelSpec;
use fyke_core::{Address, ChannelOptions, EventLoop, LoopOptions};
use fyke_poller::{Backend, SystemClock};
use fyke_transport::{Kernel, PollerDriver};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// What spans have been told, in order.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.lock().unwrap().push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.lock().unwrap().push((field.name(), value.to_owned()));
    }
}

impl Subscriber for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut self.clone());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_client_s_span_has_both_addresses() {
    let told = Told::default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    tracing::subscriber::with_default(told.clone(), || {
        let driver = PollerDriver::new(Backend::EpollLevel).unwrap();
        let mut event_loop = EventLoop::new(driver, SystemClock::new(), LoopOptions::new(0, 1));
        let transport = event_loop.transport(&Kernel::tcp).unwrap();
        let spec = ChannelSpec::new(ChannelOptions::new(), |ch| ch.pipeline());
        let connected = Arc::new(Mutex::new(false));
        let is_connected = Arc::clone(&connected);
        event_loop.core().connect(transport, &Address::Inet(server), &spec, move |result| {
            *is_connected.lock().unwrap() = result.is_ok();
        });
        assert!(!told.0.lock().unwrap().iter().any(|(name, _)| *name == "local"));
        while !*connected.lock().unwrap() {
            event_loop.turn(None).unwrap();
        }
    });
    let client = listener.accept().unwrap().1;
    let told = told.0.lock().unwrap();
    let all = |wanted: &str| -> Vec<&str> {
        told.iter().filter(|(name, _)| *name == wanted).map(|(_, value)| &**value).collect()
    };
    assert_eq!(all("peer"), [server.to_string()]);
    assert_eq!(all("local"), [client.to_string()]);
    assert_eq!(all("transport").len(), 1);
}

//! Datagram channels: one peer's trouble is not the endpoint's.

use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{Address, Context, Datagram, InboundHandler, Never, Result, Sender};

use crate::support::outcome;

/// Sends back what comes.
struct Echo;

impl InboundHandler for Echo {
    type In = Datagram;
    type Out = Never;
    type Write = Datagram;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: Datagram) -> Result<()> {
        cx.write(msg);
        Ok(())
    }
}

fn datagram(peer: &str, text: &str) -> Datagram {
    Datagram::to(Address::local(peer), text)
}

fn sent(channel: &mut EmbeddedChannel) -> Vec<(String, String)> {
    let text = |d: &Datagram| String::from_utf8_lossy(d.payload.as_slice()).into_owned();
    let sent = channel.sent_datagrams();
    sent.iter().map(|d| (d.peer.as_ref().unwrap().to_string(), text(d))).collect()
}

#[test]
fn datagrams_keep_their_peers_and_borders() {
    let mut channel = EmbeddedChannel::datagram(|ch| ch.datagrams().inbound("echo", Echo));
    channel.receive_inbound(datagram("a", "one"));
    channel.receive_inbound(datagram("b", ""));
    channel.receive_inbound(datagram("a", "two"));
    let back = sent(&mut channel);
    let texts: Vec<&str> = back.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["one", "", "two"]);
    assert_eq!(back[0].0, back[2].0);
    assert_ne!(back[0].0, back[1].0);
}

#[test]
fn promises_of_datagrams_are_kept_one_by_one() {
    let mut channel = EmbeddedChannel::datagram(|ch| ch.datagrams().inbound("echo", Echo));
    let sender: Sender<Datagram> = channel.channel().sender().unwrap();
    channel.set_room(Some(1));
    let mut futures: Vec<_> =
        ["x", "y", "z"].map(|text| sender.send_with_promise(datagram("a", text)).unwrap()).into();
    channel.run_pending();
    let state = |futures: &mut Vec<_>| futures.iter_mut().map(outcome).collect::<Vec<_>>();
    assert_eq!(state(&mut futures), [Some(true), None, None]);
    assert_eq!(channel.pending_bytes(), 2);
    channel.set_room(Some(1));
    assert_eq!(outcome(&mut futures[1]), Some(true));
    channel.channel().abort();
    channel.run_pending();
    assert_eq!(outcome(&mut futures[2]), Some(false));
    assert_eq!(sent(&mut channel).len(), 2);
}

#[test]
fn a_datagram_channel_closes_when_all_is_sent() {
    let mut channel = EmbeddedChannel::datagram(|ch| ch.datagrams().inbound("echo", Echo));
    channel.set_room(Some(0));
    channel.receive_inbound(datagram("a", "one"));
    channel.channel().close();
    channel.run_pending();
    assert_eq!(channel.close_reason(), None);
    channel.set_room(None);
    assert_eq!(sent(&mut channel).len(), 1);
    assert!(channel.close_reason().is_some(), "there is no peer's end to wait for");
}

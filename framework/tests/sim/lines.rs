//! A protocol of lines over a bad network: the codecs of fyke-codecs, unchanged.

use std::sync::mpsc;

use fyke::prelude::*;
use fyke::sim::{HostExt, LinkConfig};
use fyke_codecs::frames::TextLines;

use crate::support::*;

/// A line in, the line backwards out.
#[derive(Debug)]
struct Backwards;

impl InboundHandler for Backwards {
    type In = String;
    type Out = Never;
    type Write = String;

    fn read(&mut self, cx: &mut Context<'_, Self>, line: String) -> Result<()> {
        cx.write(line.chars().rev().collect());
        Ok(())
    }
}

#[test]
fn lines_over_loss_and_reordering() {
    let pair = pair(1, LinkConfig::new().delay(ms(15)).loss(0.05).reorder(0.1));
    let _server = ServerBootstrap::new(pair.server.group())
        .transport(pair.server.transport())
        .child(|ch| ch.pipeline().codec("lines", TextLines::new()).inbound("back", Backwards))
        .bind(SERVER)
        .unwrap();
    let (sender, lines) = mpsc::channel();
    let client =
        Bootstrap::new(pair.client.group()).transport(pair.client.transport()).handler(move |ch| {
            let sender = sender.clone();
            ch.pipeline().codec("lines", TextLines::new()).inbound(
                "tell",
                read_fn(move |_: &mut Ctx<'_, Never, String>, line: String| {
                    sender.send(line).map_err(Error::handler)
                }),
            )
        });
    let channel = client.connect(SERVER).wait().unwrap();
    let mut heard = Vec::new();
    for n in 0..200 {
        channel.sender::<String>().unwrap().send(format!("line {n}")).unwrap();
        pair.world.run_for(ms(7)).unwrap();
        heard.extend(lines.try_iter());
    }
    pair.world
        .run_while(|| {
            heard.extend(lines.try_iter());
            heard.len() < 200
        })
        .unwrap();
    let expected = |n: i32| format!("line {n}").chars().rev().collect::<String>();
    assert!(heard.iter().eq((0..200).map(expected).collect::<Vec<_>>().iter()));
    assert!(pair.link.there().drops.total() > 0);
}

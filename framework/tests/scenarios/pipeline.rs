//! Pipelines that change while they run.

use fyke::prelude::*;
use fyke::{LinkError, Stage, Stages};
use fyke_codecs::frames::{LengthField, Line};

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    what_a_replaced_decoder_had_not_read_goes_to_its_successor,
    an_edit_that_does_not_fit_is_refused_and_changes_nothing,
];

/// Lines, until one of them asks for frames.
struct Lines(Option<Tap<Outgoing>>);

impl InboundHandler for Lines {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.as_mut().map_or(Ok(()), |tap| tap.active(cx))
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, line: ByteBuf) -> Result<()> {
        let Some(tap) = &mut self.0 else { return Err(Error::handler("it is gone")) };
        tap.write_down(Log::Bytes(line.to_vec()));
        if line == "upgrade" {
            cx.write("as you like\n".into());
            let tap = self.0.take().map(Tap::frames);
            cx.edit(|edit| {
                edit.replace("line", "frames", Stage::decoder(LengthField::u32()));
                if let Some(tap) = tap {
                    edit.replace("lines", "tap", Stage::inbound(tap));
                }
            })?;
        }
        Ok(())
    }
}

fn what_a_replaced_decoder_had_not_read_goes_to_its_successor() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new(), |ch, tap| -> Stages {
            ch.pipeline().decoder("line", Line::new()).inbound("lines", Lines(Some(tap))).into()
        });
        let mut client = world.bytes_client(&server.address, ChannelOptions::new());
        let mut peer = server.accept();
        let mut bytes = b"hello\nupgrade\n".to_vec();
        for n in 0..50_u32 {
            bytes.extend([0, 0, 0, 4]);
            bytes.extend(n.to_be_bytes());
        }
        client.send(bytes);
        assert_eq!(peer.next(), Log::Bytes(b"hello".to_vec()));
        assert_eq!(peer.next(), Log::Bytes(b"upgrade".to_vec()));
        for n in 0..50_u32 {
            assert_eq!(peer.frame(), n.to_be_bytes());
        }
        assert_eq!(client.bytes(12), b"as you like\n");
        client.channel.close();
        (peer.ending(), client.ending())
    })
}

fn an_edit_that_does_not_fit_is_refused_and_changes_nothing() -> Scenario {
    everywhere(|world| {
        let mut pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        let refused = pair.server.ask(|cx| {
            cx.edit(|edit| {
                edit.add_last("echo", Stage::inbound(Echo));
            })
        });
        let refused = matches!(refused, Err(LinkError::Mismatch { .. }));
        let missing = pair.server.ask(|cx| {
            cx.edit(|edit| {
                edit.remove("nobody");
            })
        });
        pair.client.send("as before");
        assert_eq!(pair.server.bytes(9), b"as before");
        (refused, missing)
    })
}

//! Pipelines that are changed from inside handlers.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_core::embedded::{EmbeddedChannel, MessageChannel};
use fyke_core::{
    CloseReason, Context, Ctx, Edit, Error, InboundHandler, LinkError, Never, Outgoing, Result,
    Sender, Stage,
};

use crate::support::{Letters, Log, Watch, on_read, on_write};

type Inner<'a> = Ctx<'a, u8, u8>;

/// Changes the pipeline at `!`, and passes everything on.
fn switch(
    edit: impl Fn(&mut Edit) + 'static,
) -> impl InboundHandler<In = u8, Out = u8, Write = u8> {
    on_read(move |cx: &mut Inner<'_>, msg: u8| {
        if msg == b'!' {
            cx.edit(&edit)?;
        }
        cx.fire_read(msg);
        Ok(())
    })
}

/// Marks what passes with a letter behind it.
fn mark(letter: u8) -> Stage {
    Stage::inbound(on_read(move |cx: &mut Inner<'_>, msg: u8| {
        cx.fire_read(msg);
        cx.fire_read(letter);
        Ok(())
    }))
}

fn play(edit: impl Fn(&mut Edit) + Clone + Send + Sync + 'static) -> (Vec<u8>, Vec<&'static str>) {
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline().codec("letters", Letters).inbound("switch", switch(edit.clone())).inbound(
            "pass",
            on_read(|cx: &mut Inner<'_>, msg: u8| {
                cx.fire_read(msg);
                Ok(())
            }),
        )
    });
    channel.write_inbound("a!bc");
    (channel.drain_inbound(), channel.stages())
}

#[test]
fn stages_are_added_from_inside_a_handler() {
    let (read, stages) = play(|e| _ = e.add_after("switch", "x", mark(b'x')));
    assert_eq!((read.as_slice(), stages.len()), (b"a!xbxcx".as_slice(), 4));
    let (read, stages) = play(|e| _ = e.add_last("x", mark(b'x')));
    assert_eq!(read, b"a!xbxcx");
    assert_eq!(stages, ["letters", "switch", "pass", "x"]);
    let (read, stages) = play(|e| {
        e.add_before("pass", "x", mark(b'x')).add_before("x", "y", mark(b'y'));
    });
    assert_eq!(read, b"a!xyxbxyxcxyx");
    assert_eq!(stages, ["letters", "switch", "y", "x", "pass"]);
    let front = || {
        Stage::inbound(on_read(|cx: &mut Ctx<'_, ByteBuf, Outgoing>, bytes: ByteBuf| {
            cx.fire_read(bytes);
            Ok(())
        }))
    };
    let (read, stages) = play(move |e| _ = e.add_first("front", front()));
    assert_eq!(read, b"a!bc");
    assert_eq!(stages, ["front", "letters", "switch", "pass"]);
}

#[test]
fn a_handler_removes_itself_and_others() {
    let (read, stages) = play(|e| _ = e.remove("pass"));
    assert_eq!((read.as_slice(), stages.len()), (b"a!bc".as_slice(), 2));
    // What it fires after the edit is dropped with it: here the `!` itself.
    let (read, stages) = play(|e| _ = e.remove("switch"));
    assert_eq!(read, b"abc");
    assert_eq!(stages, ["letters", "pass"]);
    let (read, _) = play(|e| _ = e.replace("switch", "x", mark(b'x')));
    assert_eq!(read, b"abxcx");
}

#[test]
fn what_is_fired_before_the_edit_leaves_before_it() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let leave = |cx: &mut Inner<'_>, msg: u8| {
            cx.write(b'1');
            cx.fire_read(msg);
            cx.edit(|e| _ = e.remove("leave"))?;
            cx.write(b'2');
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("leave", on_read(leave))
    });
    channel.write_inbound("ab");
    assert_eq!(channel.drain_inbound::<u8>(), b"ab");
    assert_eq!(channel.read_outbound(), b"1");
    assert_eq!(channel.stages(), ["letters"]);
}

#[test]
fn an_error_behind_ones_own_removal_is_not_lost() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let leave = |cx: &mut Inner<'_>, _: u8| {
            cx.edit(|e| _ = e.remove("leave"))?;
            Err(Error::handler("too late"))
        };
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("leave", on_read(leave))
            .inbound("watch", Watch::<u8, u8>::new("", &l))
    });
    log.take();
    channel.write_inbound("a");
    assert_eq!(log.take()[0], "error(too late)");
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Handler));
}

/// Everything is one word of 16 bits.
struct Words;

impl Decoder for Words {
    type Item = u16;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u16>, CodecError> {
        Ok(src.read_u16().ok())
    }
}

#[test]
fn a_change_that_does_not_fit_is_refused_at_the_call() {
    type Try = fn(&mut Edit);
    let tries: [(Try, &str); 6] = [
        (
            |e| _ = e.replace("letters", "words", Stage::decoder(Words)),
            "inbound mismatch: `words` produces `u16`, but `switch` takes `u8`",
        ),
        (
            |e| _ = e.remove("letters"),
            "inbound mismatch: `head` produces `fyke_buffer::byte_buf::ByteBuf`, but `switch` takes `u8`",
        ),
        (
            |e| {
                e.add_after(
                    "letters",
                    "words",
                    Stage::outbound(on_write(|cx: &mut Ctx<'_, Never, u8>, msg: u16, promise| {
                        cx.write_with(msg as u8, promise);
                        Ok(())
                    })),
                );
            },
            "outbound mismatch: `switch` produces `u8`, but `words` takes `u16`",
        ),
        (|e| _ = e.remove("nobody"), "there is no stage `nobody`"),
        (|e| _ = e.add_last("letters", mark(b'x')), "there is already a stage `letters`"),
        // The first one is fine; the transaction is not.
        (|e| _ = e.add_last("x", mark(b'x')).remove("letters"), "inbound mismatch"),
    ];
    for (edit, expected) in tries {
        let log = Log::new();
        let l = log.clone();
        let mut channel = EmbeddedChannel::new(move |ch| {
            let seen = l.clone();
            let switch = move |cx: &mut Inner<'_>, msg: u8| {
                if msg == b'!' {
                    seen.add(cx.edit(edit).unwrap_err().to_string());
                }
                cx.fire_read(msg);
                Ok(())
            };
            ch.pipeline().codec("letters", Letters).inbound("switch", on_read(switch))
        });
        channel.write_inbound("a!b");
        let error = log.text();
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(channel.drain_inbound::<u8>(), b"a!b", "nothing has changed");
        assert_eq!(channel.stages(), ["letters", "switch"]);
        assert!(channel.write_outbound(b'x').is_ok());
    }
}

#[test]
fn several_edits_are_one_transaction() {
    // Neither of these fits without the other.
    let mut channel = EmbeddedChannel::new(|ch| {
        let upgrade = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            if msg != b'!' {
                return Ok(());
            }
            cx.write(b'1');
            cx.edit(|e| {
                let words = on_read(|cx: &mut Ctx<'_, Never, Outgoing>, word: u16| {
                    cx.write(word.to_le_bytes().to_vec().into());
                    Ok(())
                });
                e.remove("letters")
                    .remove("upgrade")
                    .add_first("words", Stage::decoder(Words))
                    .add_last("swap", Stage::inbound(words));
            })?;
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("upgrade", on_read(upgrade))
    });
    channel.write_inbound("ab!cdefg");
    channel.write_inbound("h");
    assert_eq!(channel.read_outbound(), b"1dcfehg");
    assert_eq!(channel.stages(), ["words", "swap"]);
}

#[test]
fn a_sender_in_use_refuses_an_edit() {
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().codec::<u8, _>("letters", Letters));
    let sender: Sender<u8> = channel.channel().sender().unwrap();
    let log = Log::new();
    let try_it = |channel: &mut EmbeddedChannel| {
        let seen = log.clone();
        channel.run(move |cx| {
            let result = cx.edit(|e| _ = e.replace("letters", "bytes", Stage::decoder(Letters)));
            seen.add(result.map_or_else(|error| error.to_string(), |()| "done".to_owned()));
        });
        log.text()
    };
    let refused = "senders of `u8` are in use, but the last stage would take";
    assert!(try_it(&mut channel).starts_with(refused));
    assert_eq!(channel.stages(), ["letters"]);
    let clone = sender.clone();
    drop(sender);
    assert!(try_it(&mut channel).starts_with(refused), "a clone is a sender too");
    clone.send(b'x').unwrap();
    drop(clone);
    // The message of the last sender is delivered first, and is no hindrance then.
    assert_eq!(try_it(&mut channel), "done");
    assert_eq!(channel.read_outbound(), b"x");
    assert_eq!(channel.stages(), ["bytes"]);
    assert!(matches!(channel.channel().sender::<u8>(), Err(LinkError::Mismatch { .. })));
}

/// A message of a sender that is gone, in the pipeline at the time of the edit: nobody is in the
/// way; and one that still waits in the mailbox: it is.
#[test]
fn messages_of_senders_that_are_gone() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let seen = l.clone();
        let pass = on_write(move |cx: &mut Ctx<'_, Never, u8>, msg: u8, promise| {
            cx.write_with(msg, promise);
            let bytes = || Stage::decoder(Letters);
            if msg == b'1' {
                let sender: Sender<u8> = cx.channel().sender()?;
                sender.send(b'2').unwrap();
                drop(sender);
                let edit = |e: &mut Edit| _ = e.remove("pass").replace("letters", "bytes", bytes());
                seen.add(if cx.edit(edit).is_ok() { "ok" } else { "refused" });
            } else {
                let edit = |e: &mut Edit| _ = e.remove("pass").replace("letters", "bytes", bytes());
                seen.add(if cx.edit(edit).is_ok() { "ok" } else { "refused" });
            }
            Ok(())
        });
        ch.pipeline().codec("letters", Letters).outbound("pass", pass)
    });
    let sender: Sender<u8> = channel.channel().sender().unwrap();
    sender.send(b'1').unwrap();
    drop(sender);
    channel.run_pending();
    assert_eq!(log.text(), "refused ok");
    assert_eq!(channel.read_outbound(), b"12");
}

#[test]
fn edits_of_two_stages_are_applied_in_the_order_of_asking() {
    let mut channel = MessageChannel::<u8, u8>::new(|p| {
        let first = |cx: &mut Inner<'_>, msg: u8| {
            // The second stage edits while this edit is asked for and not yet due.
            cx.fire_read(msg);
            cx.write(b'1');
            cx.edit(|e| {
                e.add_after(
                    "feed",
                    "near",
                    Stage::outbound(on_write(|cx: &mut Ctx<'_, Never, u8>, msg: u8, promise| {
                        cx.write(b'n');
                        cx.write_with(msg, promise);
                        Ok(())
                    })),
                )
                .remove("first");
            })?;
            Ok(())
        };
        let second = |cx: &mut Inner<'_>, _: u8| {
            cx.write(b'a');
            cx.edit(|e| {
                // It builds on the edit of the first stage.
                e.add_after(
                    "near",
                    "far",
                    Stage::outbound(on_write(|cx: &mut Ctx<'_, Never, u8>, msg: u8, promise| {
                        cx.write(b'f');
                        cx.write_with(msg, promise);
                        Ok(())
                    })),
                );
            })?;
            // Behind the edit: through the new stages, and not before.
            cx.write(b'b');
            Ok(())
        };
        p.inbound("first", on_read(first)).inbound("second", on_read(second))
    });
    channel.feed(b'x');
    assert_eq!(channel.stages(), ["feed", "near", "far", "second"]);
    assert_eq!(channel.drain_written(), b"a1nfnb");
}

#[test]
fn an_edit_is_applied_although_its_stage_is_gone() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let leave = |cx: &mut Inner<'_>, _: u8| {
            cx.edit(|e| _ = e.remove("leave"))?;
            cx.edit(|e| _ = e.add_last("x", mark(b'x')))?;
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("leave", on_read(leave))
    });
    channel.write_inbound("a");
    assert_eq!(channel.stages(), ["letters", "x"], "what was promised at the call is done");
    channel.write_inbound("b");
    assert_eq!(channel.drain_inbound::<u8>(), b"bx");
}

#[test]
fn added_and_removed_are_told_once() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let later = l.clone();
        let swap = move |cx: &mut Inner<'_>, msg: u8| {
            let watch = Watch::<u8, u8>::new("b", &later);
            cx.edit(|e| _ = e.replace("a", "b", Stage::inbound(watch)))?;
            cx.fire_read(msg);
            Ok(())
        };
        ch.pipeline()
            .codec("letters", Letters)
            .outbound(
                "out",
                on_write(|cx: &mut Ctx<'_, Never, u8>, msg: u8, promise| {
                    cx.write_with(msg, promise);
                    Ok(())
                }),
            )
            .inbound("a", Watch::<u8, u8>::new("a", &l))
            .inbound("swap", on_read(swap))
    });
    assert_eq!(log.text(), "a.added a.registered a.active");
    channel.write_inbound("x");
    assert_eq!(log.text(), "a.removed b.added b.read_complete");
    channel.finish_inbound();
    assert_eq!(log.text(), "b.read_closed b.inactive b.unregistered b.removed");
}

/// Decodes nothing before the end, and letters then.
struct AtTheEnd;

impl Decoder for AtTheEnd {
    type Item = u8;

    fn decode(&mut self, _: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
        Ok(None)
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
        Ok(src.read_u8().ok())
    }
}

#[test]
fn a_decoder_replaced_at_the_end_hands_over_the_end() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .decoder("end", AtTheEnd)
            .inbound("watch", Watch::<u8, Outgoing>::new("", &l))
            .inbound(
                "switch",
                on_read(|cx: &mut Ctx<'_, u8, Outgoing>, msg: u8| {
                    if msg == b'!' {
                        cx.edit(|e| _ = e.replace("end", "letters", Stage::decoder(Letters)))?;
                    }
                    cx.fire_read(msg);
                    Ok(())
                }),
            )
    });
    log.take();
    channel.write_inbound("a!bc");
    assert_eq!(channel.drain_inbound::<u8>(), b"");
    channel.finish_inbound();
    assert_eq!(log.text(), "read_complete read_closed inactive unregistered removed");
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
}

#[test]
fn a_replacement_may_be_put_in_before_the_old_one_is_taken_out() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let switch = |cx: &mut Ctx<'_, u8, Outgoing>, msg: u8| {
            if msg == b'!' {
                let new = Stage::decoder(Letters);
                cx.edit(|e| _ = e.add_before("old", "new", new).remove("old"))?;
            }
            cx.fire_read(msg);
            Ok(())
        };
        ch.pipeline().decoder("old", Letters).inbound("switch", on_read(switch))
    });
    channel.write_inbound("a!bc");
    assert_eq!(channel.drain_inbound::<u8>(), b"a!bc");
    assert_eq!(channel.stages(), ["new", "switch"]);
}

/// A peer decides how many messages lie in one buffer, so they must not nest.
#[test]
fn a_decoder_replaced_at_every_message_does_not_fill_the_stack() {
    const NAMES: [&str; 2] = ["even", "odd"];
    let mut channel = EmbeddedChannel::new(|ch| {
        let mut turn = 0;
        let switch = move |cx: &mut Ctx<'_, u8, Outgoing>, msg: u8| {
            let (old, new) = (NAMES[turn % 2], NAMES[(turn + 1) % 2]);
            turn += 1;
            cx.fire_read(msg);
            cx.edit(|e| _ = e.replace(old, new, Stage::decoder(Letters)))?;
            Ok(())
        };
        ch.pipeline().decoder("even", Letters).inbound("switch", on_read(switch))
    });
    let bytes: Vec<u8> = (0..50_000).map(|n| n as u8).collect();
    channel.write_inbound(bytes.clone());
    assert_eq!(channel.drain_inbound::<u8>(), bytes);
}

#[test]
fn a_pipeline_is_changed_from_outside() {
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().codec::<u8, _>("letters", Letters));
    let handle = channel.channel();
    handle.execute(|cx| cx.edit(|e| _ = e.add_last("x", mark(b'x'))).unwrap()).unwrap();
    channel.write_inbound("a");
    assert_eq!(channel.drain_inbound::<u8>(), b"ax");
    struct Once;
    impl InboundHandler for Once {
        type In = u8;
        type Out = u8;
        type Write = u8;

        fn added(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
            cx.edit(|e| _ = e.remove("x"))?;
            Ok(())
        }

        fn read(&mut self, cx: &mut Context<'_, Self>, msg: u8) -> Result<()> {
            cx.fire_read(msg);
            Ok(())
        }
    }
    channel.run(|cx| cx.edit(|e| _ = e.add_last("once", Stage::inbound(Once))).unwrap());
    assert_eq!(channel.stages(), ["letters", "once"], "an edit from inside `added` of an edit");
}

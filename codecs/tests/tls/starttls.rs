//! TLS that is put into a pipeline that has spoken plainly before.

use fyke_buffer::ByteBuf;
use fyke_codecs::frames::Line;
use fyke_codecs::tls::{TlsClientConfig, TlsHandler, TlsHandshakeCompleted, TlsServerConfig};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{Context, InboundHandler, Never, Outgoing, Result, Stage};

use crate::support::{NAME, carry, client_config, done, error_text, server_config};

/// A server that answers lines, and begins TLS when it is asked to.
struct Server {
    config: TlsServerConfig,
}

impl InboundHandler for Server {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, line: ByteBuf) -> Result<()> {
        let secret = cx.attribute::<TlsHandshakeCompleted>().is_some();
        match &line[..] {
            b"STARTTLS" => {
                cx.write("220 go ahead\r\n".into());
                let tls = Stage::duplex(TlsHandler::server(&self.config));
                cx.edit(|edit| {
                    edit.replace("lines", "tls", tls);
                    edit.add_after("tls", "secret-lines", Stage::decoder(Line::new()));
                })?;
            }
            b"PING" if secret => cx.write("250 in secret\r\n".into()),
            _ => cx.write("250 plainly\r\n".into()),
        }
        Ok(())
    }
}

/// A client that asks for TLS and begins when it may.
struct Client {
    config: TlsClientConfig,
}

impl InboundHandler for Client {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        cx.write("PING\r\nSTARTTLS\r\n".into());
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, line: ByteBuf) -> Result<()> {
        if line.starts_with(b"220") {
            let tls = TlsHandler::client(&self.config, NAME).expect("a name");
            cx.edit(|edit| {
                edit.replace("lines", "tls", Stage::duplex(tls));
                edit.add_after("tls", "secret-lines", Stage::decoder(Line::new()));
            })?;
            cx.write("PING\r\n".into());
        }
        let mut lines = cx.attribute::<Vec<String>>().cloned().unwrap_or_default();
        lines.push(String::from_utf8_lossy(&line).into_owned());
        cx.set_attribute(lines);
        Ok(())
    }
}

fn server() -> EmbeddedChannel {
    let config = server_config();
    EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .decoder("lines", Line::new())
            .inbound("app", Server { config: config.clone() })
    })
}

#[test]
fn the_rest_of_the_conversation_is_secret() {
    let config = client_config();
    let mut client = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .decoder("lines", Line::new())
            .inbound("app", Client { config: config.clone() })
    });
    let mut server = server();
    carry(&mut client, &mut server);
    let lines = client.attribute::<Vec<String>>().unwrap_or_default();
    assert_eq!(lines, ["250 plainly", "220 go ahead", "250 in secret"]);
    assert_eq!(client.stages(), ["tls", "secret-lines", "app"]);
    assert_eq!(server.stages(), ["tls", "secret-lines", "app"]);
    assert!(done(&mut server).is_some());
}

#[test]
fn bytes_behind_the_command_are_the_handshake() {
    // A client that does not wait for the answer sends its hello in the same breath.
    let mut server = server();
    let mut tls = crate::support::client(&client_config());
    let mut bytes = ByteBuf::from("STARTTLS\r\n");
    bytes.write_slice(&tls.read_outbound());
    server.write_inbound(bytes);
    let answer = server.read_outbound();
    let answer = answer.strip_prefix(b"220 go ahead\r\n").expect("it comes plainly, and first");
    tls.write_inbound(answer);
    carry(&mut tls, &mut server);
    assert!(done(&mut tls).is_some() && done(&mut server).is_some());
}

/// CVE-2011-0411: commands that somebody puts in behind STARTTLS are not run later as if they had
/// come encrypted.
#[test]
fn commands_behind_the_command_are_refused() {
    let mut server = server();
    server.write_inbound("STARTTLS\r\nPING\r\nPING\r\n");
    assert_eq!(server.read_outbound(), b"220 go ahead\r\n"[..]);
    assert!(error_text(&mut server).contains("does not speak TLS"));
    assert!(!server.is_open());
}

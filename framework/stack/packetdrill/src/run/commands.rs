//! Commands and assertions of the script.

use super::outcome::{Cause, Relaxation, SkipReason};
use super::runner::{Runner, Stop};
use super::settings::Effect;
use super::shell::{self, Command, Refusal};
use crate::python::CodeError;

impl Runner<'_> {
    pub(super) fn command(&mut self, text: &str) -> Result<(), Stop> {
        let commands = match shell::commands(text) {
            Ok(commands) => commands,
            Err(Refusal::Skip(reason)) => return Err(Stop::Skip(reason)),
            Err(Refusal::Unknown(what)) => return Err(Stop::Fail(Cause::UnknownCommand, what)),
        };
        for command in commands {
            match command {
                // Cookies that peers gave the stack stay.
                Command::Set { name, .. }
                    if name == "net.ipv4.tcp_fastopen_cookies"
                        && self.kernel.host_if_made().is_some() =>
                {
                    return Err(Stop::Skip(SkipReason::Device));
                }
                Command::Set { name, value } => match self.kernel.settings.set(&name, &value) {
                    Effect::Done => {}
                    Effect::Skip(reason) => return Err(Stop::Skip(reason)),
                    Effect::Unknown => {
                        let detail = format!("{name}={value}");
                        return Err(Stop::Fail(Cause::UnknownCommand, detail));
                    }
                },
                Command::Defaults => self.kernel.settings.defaults(),
                Command::Sockets { version, port, searches } => {
                    let lines = self.kernel.list(version, port);
                    for line in &lines {
                        self.say(&format!("  {line}"));
                    }
                    let (left, found) = shell::filter(lines, &searches);
                    if !found {
                        let detail = format!("{text} finds {left:?}");
                        return Err(Stop::Fail(Cause::Command, detail));
                    }
                    self.checks += 1;
                }
                Command::MakeFile { path, size } => self.kernel.make_file(&path, size),
                Command::Route(habits) => self.kernel.change_route(habits),
                Command::Drop { state } => self.kernel.drop_state(&state)?,
            }
        }
        if self.kernel.settings.unknown {
            self.relaxations.insert(Relaxation::UnknownSetting);
        }
        Ok(())
    }

    pub(super) fn code(&mut self, code: &str) -> Result<(), Stop> {
        super::info::define(&mut self.scope, &mut self.kernel);
        match self.scope.run(code) {
            Ok(held) => {
                self.checks += held;
                Ok(())
            }
            Err(CodeError::Assertion(text)) => Err(Stop::Fail(Cause::Assertion, text)),
            Err(CodeError::Name(name)) => Err(Stop::Fail(Cause::UnknownField, name)),
            Err(error) => Err(Stop::Fail(Cause::Script, error.to_string())),
        }
    }
}

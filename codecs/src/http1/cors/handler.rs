//! CORS as a stage of a pipeline.

use std::collections::VecDeque;
use std::fmt;

use fyke_core::{DuplexContext, DuplexHandler, Promise, Result};

use super::config::{CorsConfig, CorsError};
use crate::http1::{RequestPart, Response, ResponsePart, Status};

/// Answers the questions browsers ask before requests, and says in all other answers who may see them.
///
/// Belongs between [`server`](crate::http1::server) and whatever answers requests, behind a compressor.
/// A question that is answered with no does not reach the stages behind; a request does, also when its
/// origin is not allowed: browsers hide the answer then.
pub struct CorsHandler {
    config: CorsConfig,
    /// The requests that are not answered yet, oldest first.
    asked: VecDeque<Asked>,
    /// What is left of a question is dropped.
    dropping: bool,
}

enum Asked {
    /// Its answer comes from behind; this is what it says of the origin.
    Request(Option<Vec<u8>>),
    /// Its answer is here, and waits for those in front of it.
    Preflight(Box<Response>),
}

type Cx<'a> = DuplexContext<'a, CorsHandler>;

impl CorsHandler {
    /// A handler that allows what `config` allows.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: CorsConfig) -> Result<Self, CorsError> {
        config.check()?;
        Ok(Self { config, asked: VecDeque::new(), dropping: false })
    }

    /// Sends the answers to questions that nothing is in front of.
    fn answer_preflights(&mut self, cx: &mut Cx<'_>) {
        while let Some(Asked::Preflight(_)) = self.asked.front() {
            if let Some(Asked::Preflight(response)) = self.asked.pop_front() {
                cx.write(ResponsePart::Full(*response));
            }
        }
    }

    /// What is said of the origin whose request is being answered.
    fn origin(&self) -> Option<&[u8]> {
        match self.asked.front() {
            Some(Asked::Request(origin)) => origin.as_deref(),
            _ => None,
        }
    }
}

impl DuplexHandler for CorsHandler {
    type In = RequestPart;
    type Out = RequestPart;
    type WriteIn = ResponsePart;
    type WriteOut = ResponsePart;

    fn read(&mut self, cx: &mut Cx<'_>, part: RequestPart) -> Result<()> {
        if let Some(head) = part.head() {
            self.dropping = CorsConfig::is_preflight(head);
            if self.dropping {
                let answer = Box::new(self.config.preflight(head));
                self.asked.push_back(Asked::Preflight(answer));
            } else {
                self.asked.push_back(Asked::Request(self.config.allowed(head)));
            }
        }
        if !self.dropping {
            cx.fire_read(part);
        } else if matches!(part, RequestPart::Full(_) | RequestPart::End) {
            self.dropping = false;
            self.answer_preflights(cx);
        }
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, part: ResponsePart, promise: Promise) -> Result<()> {
        let is_interim =
            |status: Status| status.is_informational() && status != Status::SWITCHING_PROTOCOLS;
        let (part, ends) = match part {
            ResponsePart::Full(response) if !response.head.status().is_informational() => {
                let head = self.config.answer(response.head, self.origin());
                (Response { head, body: response.body }.into(), true)
            }
            ResponsePart::Head(head) if !head.status().is_informational() => {
                (self.config.answer(head, self.origin()).into(), false)
            }
            ResponsePart::Head(head) => {
                let ends = !is_interim(head.status());
                (ResponsePart::Head(head), ends)
            }
            ResponsePart::End => (ResponsePart::End, true),
            other => (other, false),
        };
        cx.write_with(part, promise);
        if ends {
            self.asked.pop_front();
            self.answer_preflights(cx);
        }
        Ok(())
    }
}

/// The same configuration, for another channel.
impl Clone for CorsHandler {
    fn clone(&self) -> Self {
        Self { config: self.config.clone(), asked: VecDeque::new(), dropping: false }
    }
}

impl fmt::Debug for CorsHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorsHandler")
            .field("config", &self.config)
            .field("asked", &self.asked.len())
            .finish_non_exhaustive()
    }
}

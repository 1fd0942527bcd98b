//! Answers leave in the order of the requests, whoever makes them.
//!
//! A client may send a request to the service and, right behind it, one for the WebSocket. The
//! service may answer later; what the upgrade handler has to say then waits for it.

use std::collections::VecDeque;

use crate::http1::{ResponsePart, Status};

/// What waits for its turn among the service's answers. `A` is what the upgrade handler answers.
///
/// There are never more than the HTTP codec lets a client send ahead.
#[derive(Debug)]
pub(super) struct Order<A> {
    /// Requests the service has not answered, in front of the first answer held.
    in_front: u32,
    held: VecDeque<Held<A>>,
}

#[derive(Debug)]
struct Held<A> {
    answer: A,
    /// Requests the service has not answered, between this answer and the next one held.
    behind: u32,
}

impl<A> Order<A> {
    pub(super) const fn new() -> Self {
        Self { in_front: 0, held: VecDeque::new() }
    }

    /// A request went to the service.
    pub(super) fn passed(&mut self) {
        match self.held.back_mut() {
            Some(held) => held.behind += 1,
            None => self.in_front += 1,
        }
    }

    /// The service has answered the first of its requests.
    pub(super) fn answered(&mut self) {
        // An answer to what could not be read as a request belongs to none that passed.
        self.in_front = self.in_front.saturating_sub(1);
    }

    /// Puts an answer in line.
    pub(super) fn hold(&mut self, answer: A) {
        self.held.push_back(Held { answer, behind: 0 });
    }

    /// The next answer whose turn has come.
    pub(super) fn next(&mut self) -> Option<A> {
        if self.in_front > 0 {
            return None;
        }
        let Held { answer, behind } = self.held.pop_front()?;
        self.in_front = behind;
        Some(answer)
    }
}

/// Whether a request has been answered once this part has been sent.
pub(super) fn ends_answer(part: &ResponsePart) -> bool {
    let is_final =
        |status: Status| !status.is_informational() || status == Status::SWITCHING_PROTOCOLS;
    match part {
        ResponsePart::Full(response) => is_final(response.head.status()),
        ResponsePart::Head(head) => head.status() == Status::SWITCHING_PROTOCOLS,
        ResponsePart::End => true,
        // Content, wherever it comes from.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_wait_for_those_in_front() {
        let mut order = Order::new();
        order.hold('a');
        assert_eq!(order.next(), Some('a'), "nothing is in front");
        order.passed();
        order.passed();
        order.hold('b');
        order.hold('c');
        order.passed();
        order.hold('d');
        assert_eq!(order.next(), None);
        order.answered();
        assert_eq!(order.next(), None);
        order.answered();
        assert_eq!((order.next(), order.next(), order.next()), (Some('b'), Some('c'), None));
        order.answered();
        assert_eq!((order.next(), order.next()), (Some('d'), None));
        order.answered();
        assert_eq!(order.next(), None);
    }
}
